package status

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Trials are what became of test alerts, in the order of the configuration: e-mail first.
type Trials struct {
	Trials []Trial `json:"trials"`
}

// Trial is one of them.
type Trial struct {
	To         string        `json:"to"` // "mail server HOST:PORT" or "webhook NAME"
	Recipients string        `json:"recipients,omitempty"`
	Error      string        `json:"error,omitempty"` // what it answered, or why it didn't; absent: it took the alert
	Took       time.Duration `json:"took"`
}

// Delivered says whether all were taken.
func (t *Trials) Delivered() bool {
	for i := range t.Trials {
		if t.Trials[i].Error != "" {
			return false
		}
	}
	return true
}

// Text prints a line for each.
func (t *Trials) Text(w io.Writer, style Style) error {
	var b strings.Builder
	for i := range t.Trials {
		one := &t.Trials[i]
		said := style.paint(green, "taken")
		if one.Error != "" {
			said = style.paint(red, "failed") + ": " + printable(one.Error)
		}
		whom := one.To
		if one.Recipients != "" {
			whom += ", for " + one.Recipients
		}
		fmt.Fprintf(&b, "%s: %s, took %s\n", printable(whom), said, brief(one.Took))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
