package counterpart

import (
	"fmt"
	"io"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// Text prints the differences, a line each, those that would do harm marked and first.
func (c *Comparison) Text(w io.Writer, style status.Style) error {
	var b strings.Builder
	if c.Error != "" {
		fmt.Fprintf(&b, "%s: it is not known how it is: %s\n", status.Printable(c.Peer), status.Printable(c.Error))
		_, err := io.WriteString(w, b.String())
		return err
	}
	poorer := c.Poorer()
	switch {
	case len(c.Differences) == 0:
		fmt.Fprintf(&b, "%s and %s are alike\n", status.Printable(c.Here), status.Printable(c.There))
	case len(poorer) == 0:
		fmt.Fprintf(&b, "%s and %s differ: %d; none of that would leave clients worse off with %s\n", status.Printable(c.Here), status.Printable(c.There), len(c.Differences), status.Printable(c.There))
	default:
		fmt.Fprintf(&b, "%s and %s differ: %d; clients would be worse off with %s for those that are marked !: %d\n", status.Printable(c.Here), status.Printable(c.There), len(c.Differences), status.Printable(c.There), len(poorer))
	}
	for _, harm := range []bool{true, false} {
		for _, d := range c.Differences {
			if d.Poorer != harm {
				continue
			}
			mark := " "
			if harm {
				mark = "!"
			}
			line := status.Printable(fmt.Sprintf("%s %s: %s: %s here, %s there", mark, d.Object, d.What, d.Here, d.There))
			if harm {
				line = style.Alarm(line)
			}
			b.WriteString(line + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Text prints one after the other.
func (c *Comparisons) Text(w io.Writer, style status.Style) error {
	for i := range c.Peers {
		if err := c.Peers[i].Text(w, style); err != nil {
			return err
		}
	}
	return nil
}
