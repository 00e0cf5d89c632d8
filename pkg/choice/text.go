package choice

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"
)

// Text prints the answer for people.
func (a *Answer) Text(w io.Writer) error {
	var b bytes.Buffer
	client := a.Client.String()
	if a.Client.Port() == 0 {
		client = a.Client.Addr().String()
	}
	fmt.Fprintf(&b, "%s to %s (%s): ", client, a.Service, a.Scheduler)
	switch {
	case a.Server.IsValid() && a.Certain:
		fmt.Fprintln(&b, a.Server)
	case a.Server.IsValid():
		fmt.Fprintf(&b, "%s, probably\n", a.Server)
	case a.How == ByNobody && a.Certain:
		fmt.Fprintln(&b, "no server")
	case a.How == ByNobody:
		fmt.Fprintln(&b, "no server, probably")
	default:
		fmt.Fprintln(&b, "one of those that can be chosen")
	}
	for _, r := range a.Reasons {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	for _, d := range a.Doubts {
		fmt.Fprintf(&b, "  But: %s\n", d)
	}
	if len(a.Candidates) > 0 {
		fmt.Fprintln(&b)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "SERVER\tWEIGHT\tACTIVE\tINACTIVE\tNEW ONES\tWHY")
		for _, c := range a.Candidates {
			can := "yes"
			switch {
			case !c.Can:
				can = "no"
			case c.maybe:
				can = "perhaps"
			}
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\n", c.Server, c.Weight, c.Active, c.Inactive, can, c.Why)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
