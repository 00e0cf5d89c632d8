package status

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/difference"
)

// Answer is what became of a request to plan, to reload or to take a configuration.
type Answer struct {
	// Configuration is what is, or would be, another one than in the configuration in force. Absent where there is none: no daemon runs.
	Configuration []difference.Change `json:"configuration,omitempty"`

	Changes  []string `json:"changes"`            // what is, or would be, done to the kernel's table, in order
	Waiting  []string `json:"waiting,omitempty"`  // servers that join once a check has passed
	Warnings string   `json:"warnings,omitempty"` // about the configuration
	Rejected string   `json:"rejected,omitempty"` // the configuration's errors: it was not, or would not be, taken
	Refused  []string `json:"refused,omitempty"`  // what the kernel would not do

	Revision int      `json:"revision,omitempty"` // number in the History of what was taken; absent: nothing was, or it can't be kept
	Pending  *Pending `json:"pending,omitempty"`  // absent: it stays without a confirmation
}

// Empty says whether nothing is, or would be, changed.
func (a *Answer) Empty() bool { return len(a.Configuration)+len(a.Changes) == 0 }

// Problems prints what is to be said about the configuration and what the kernel refused.
func (a *Answer) Problems(w io.Writer) error {
	var b strings.Builder
	b.WriteString(a.Rejected + a.Warnings)
	for _, r := range a.Refused {
		fmt.Fprintf(&b, "refused: %s\n", r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Text prints the changes by what they are about, then the steps in the kernel's table in their order, and what they wait for. Where there
// are only steps, each line is one.
func (a *Answer) Text(w io.Writer, style Style) error {
	var b strings.Builder
	for _, g := range changeGroups {
		title := g.title
		for _, c := range a.Configuration {
			if !g.has(c.Kind) {
				continue
			}
			if title != "" {
				b.WriteString(style.paint(bold, title) + "\n")
				title = ""
			}
			writeChange(&b, style, "  ", []difference.Change{c})
		}
	}
	steps := func(title string, list []string, paint func(string) string) {
		indent := ""
		if len(list) > 0 && len(a.Configuration) > 0 {
			b.WriteString(style.paint(bold, title) + "\n")
			indent = "  "
		}
		for _, text := range list {
			b.WriteString(indent + paint(printable(text)) + "\n")
		}
	}
	steps("kernel:", a.Changes, func(step string) string {
		verb, rest, _ := strings.Cut(step, " ")
		return style.paint(verbColor[verb], verb) + " " + rest
	})
	steps("waiting:", a.Waiting, func(s string) string { return style.paint(dim, "wait") + " " + s })
	if a.Pending != nil {
		b.WriteString(style.paint(yellow, printable(a.Pending.String())) + "\n" + a.Pending.Hint() + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// changeGroups are the parts of what a configuration changes; the first that has a kind has it.
var changeGroups = []struct {
	title string
	has   func(kind string) bool
}{
	{"settings:", isSetting},
	{"virtual routers:", func(kind string) bool { return !isSetting(kind) && !isService(kind) }},
	{"services:", isService},
}

func isSetting(kind string) bool {
	return kind == "top" || kind == "webhook" || strings.HasPrefix(kind, "global_defs")
}

func isService(kind string) bool { return strings.HasPrefix(kind, "virtual_server") }

// writeChange prints what becomes of one object, or of several alike.
func writeChange(b *strings.Builder, style Style, indent string, alike []difference.Change) {
	c := alike[0]
	names := make([]string, len(alike))
	for i := range alike {
		names[i] = alike[i].Name
	}
	const most = 5
	if n := len(names) - most; n > 1 {
		names = append(names[:most], fmt.Sprintf("%d more", n))
	}
	kind := c.Kind
	if kind == "top" {
		kind = "top of the file"
	}
	fmt.Fprintf(b, "%s%s %s\n", indent, style.paint(verbColor[c.Change], printable(c.Change)), printable(strings.TrimSpace(kind+" "+strings.Join(names, ", "))))
	for _, k := range c.Keywords {
		text := printable(k.String())
		if c.Change != difference.Edit {
			text = strings.Replace(text, ": default -> ", " = ", 1)
		}
		b.WriteString(indent + "    " + text + "\n")
	}
	for from := 0; from < len(c.Members); {
		to := from + 1
		for to < len(c.Members) && sameChange(c.Members[from], c.Members[to]) {
			to++
		}
		writeChange(b, style, indent+"  ", c.Members[from:to])
		from = to
	}
}

// sameChange says whether the same becomes of two objects.
func sameChange(a, b difference.Change) bool {
	return a.Kind == b.Kind && a.Change == b.Change && len(a.Members)+len(b.Members) == 0 && slices.EqualFunc(a.Keywords, b.Keywords, func(x, y difference.Keyword) bool {
		return reflect.DeepEqual(x, y)
	})
}

// verbColor colours the first word of a change.
var verbColor = map[string]string{
	"add": green, "start": green, "edit": yellow, "set": yellow, "re-add": yellow, "delete": red, "stop": red,
}
