package status

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Switched is what came of a switchover.
type Switched struct {
	Name  string        `json:"name"`        // of the instance or the group
	Done  bool          `json:"done"`        // another router is active
	By    netip.Addr    `json:"by,omitzero"` // that one, of the instance or the first of the group
	Took  time.Duration `json:"took"`
	Error string        `json:"error,omitempty"` // why it was not done
}

// Switched says what came of a switchover that has begun, of an instance or a sync group; false: it goes on.
func (s *VRRP) Switched(name string) (*Switched, bool) {
	members := []string{name}
	for i := range s.Groups {
		if g := &s.Groups[i]; g.Name == name || slices.Contains(g.Members, name) {
			members = g.Members
		}
	}
	r := &Switched{Name: name, Error: "a reload has removed it"}
	first := true
	for i := range s.Instances {
		v := &s.Instances[i]
		switch {
		case !slices.Contains(members, v.Name):
			continue
		case v.HandingOver:
			return nil, false
		case v.State == active:
			r.Done, r.Error = false, "no other router took over: this one serves as before"
			return r, true
		case v.State != backup:
			r.Done, r.Error = false, v.Name+" is "+v.State+": "+v.Reason
			return r, true
		}
		if first || v.Name == name {
			r.By = v.ActiveRouter
		}
		first, r.Done, r.Error = false, true, ""
	}
	return r, true
}

// Text says what came of a switchover.
func (s *Switched) Text(w io.Writer, style Style) error {
	text := style.paint(green, printable(s.Name)+": handed over")
	if s.By.IsValid() {
		text += " to " + s.By.String()
	}
	if !s.Done {
		text = style.paint(red, printable(s.Name)+": not handed over: ") + printable(s.Error)
	}
	_, err := fmt.Fprintf(w, "%s, took %s\n", text, brief(s.Took))
	return err
}
