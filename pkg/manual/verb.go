package manual

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// Check fails the test if a directory has not exactly one page for each verb of a program, and for the verbs of verbs, as
// their help has it.
func Check(tb testing.TB, dir string, program *cobra.Command) {
	tb.Helper()
	pages := verbs(program)
	for name, text := range pages {
		golden.Check(tb, filepath.Join(dir, name), text)
	}
	there, err := filepath.Glob(filepath.Join(dir, program.Name()+"-*.1"))
	if err != nil || len(there) == 0 {
		tb.Fatalf("%d pages: %v", len(there), err)
	}
	for _, file := range there {
		if pages[filepath.Base(file)] == nil {
			tb.Errorf("%s is of no verb", file)
		}
	}
}

// verbs returns the pages by file name: "ipvsctl-explain-vrrp.1".
func verbs(program *cobra.Command) map[string][]byte {
	pages := make(map[string][]byte)
	for _, c := range program.Commands() {
		if c.Name() == "help" || c.Name() == "completion" || c.Hidden {
			continue
		}
		pages[name(c)+".1"] = verb(c)
		maps.Copy(pages, verbs(c))
	}
	return pages
}

// name is what a verb's page is called.
func name(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func verb(c *cobra.Command) []byte {
	p := begin(strings.ToUpper(name(c)), "1")
	p.macro("Sh NAME")
	p.macro("Nm " + name(c))
	p.macro("Nd " + strings.ToLower(c.Short[:1]) + escape(strings.TrimSuffix(c.Short[1:], ".")))
	p.macro("Sh SYNOPSIS")
	words := strings.Fields(c.UseLine())
	p.macro("Nm " + quoted(words[0]))
	for _, w := range words[1:] {
		if w != "[flags]" {
			p.macro("Li " + quoted(w))
		}
	}
	p.macro("Op Ar options")
	p.macro("Sh DESCRIPTION")
	p.prose(plain(c))
	for _, flags := range []struct {
		heading string
		set     *pflag.FlagSet
	}{{"Its own options", c.LocalNonPersistentFlags()}, {"Options of all verbs", c.InheritedFlags()}} {
		if !flags.set.HasAvailableFlags() {
			continue
		}
		p.macro("Ss " + flags.heading)
		p.macro("Bl -tag -width Ds")
		flags.set.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				p.flag(f)
			}
		})
		p.macro("El")
	}
	if c.HasExample() {
		p.macro("Sh EXAMPLES")
		p.macro("Bd -literal")
		for line := range strings.Lines(c.Example) {
			p.text(strings.TrimRight(line, "\n"))
		}
		p.macro("Ed")
	}
	p.macro("Sh SEE ALSO")
	p.macro("Xr ipvsctl 1 ,")
	p.macro("Xr ipvsd.toml 5 ,")
	p.macro("Xr ipvsd 8")
	return []byte(p.String())
}

// plain is what the help says at length, or else in short.
func plain(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return strings.TrimSuffix(c.Short, ".") + "."
}

func (p *page) flag(f *pflag.Flag) {
	value, usage := pflag.UnquoteUsage(f)
	item := "It Fl "
	if f.Shorthand != "" {
		item += f.Shorthand + " , Fl "
	}
	item += `\-` + f.Name
	if value != "" {
		item += " Ar " + quoted(value)
	}
	p.macro(item)
	usage = strings.ToUpper(usage[:1]) + usage[1:]
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
		usage += "; default: " + f.DefValue
	}
	p.prose(usage + ".")
}
