package status

import (
	"net/netip"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
)

// BFDSession is a bfd_instance.
type BFDSession struct {
	Name     string     `json:"name"`
	Neighbor netip.Addr `json:"neighbor"`
	State    string     `json:"state"` // AdminDown, Down, Init, Up
	Since    time.Time  `json:"since"`
	Reason   string     `json:"reason,omitempty"` // why it is not up
	// Detection is so long without a packet, and the neighbor is gone; absent: it has said nothing yet.
	Detection time.Duration `json:"detection_time,omitempty"`
	Interval  time.Duration `json:"interval"` // between the packets sent
	Sent      uint64        `json:"sent"`
	Received  uint64        `json:"received"`
}

// SessionOf returns a session's JSON form.
func SessionOf(s *bfd.Status) BFDSession {
	b := BFDSession{s.Name, s.Neighbor, s.State.String(), s.Since, s.Reason, s.Detection, s.Interval, s.Sent, s.Received}
	if s.State == bfd.Up {
		b.Reason = ""
	}
	return b
}

func (b *BFDSession) color() string {
	switch b.State {
	case bfd.Up.String():
		return green
	case bfd.Down.String():
		return red
	}
	return yellow
}

// sessions prints the sessions as a table, if there are any.
func (s *VRRP) sessions(b *strings.Builder, style Style) {
	if len(s.Sessions) == 0 {
		return
	}
	b.WriteByte('\n')
	c := columns{style: style}
	c.row(head("BFD"), head("NEIGHBOUR"), head("STATE"), headRight("FOR"), headRight("DETECTION"), headRight("INTERVAL"), head("WHY"))
	for i := range s.Sessions {
		f := &s.Sessions[i]
		detection := "-"
		if f.Detection > 0 {
			detection = brief(f.Detection)
		}
		c.row(cell{text: f.Name}, cell{text: f.Neighbor.String()}, cell{text: f.State, sgr: f.color()}, cell{text: since(s.At, f.Since), right: true},
			cell{text: detection, right: true}, cell{text: brief(f.Interval), right: true}, cell{text: f.Reason, sgr: dim})
	}
	_ = c.write(b, "") // a Builder takes everything
}

// sessionSummary prints what a summary has of the sessions: the count, and every one that is not up.
func (s *VRRP) sessionSummary(line func(sgr, label, format string, args ...any)) {
	if len(s.Sessions) == 0 {
		return
	}
	up := 0
	for i := range s.Sessions {
		if s.Sessions[i].State == bfd.Up.String() {
			up++
		}
	}
	line("", "bfd", "%s, %d up", counted(len(s.Sessions), "session"), up)
	for i := range s.Sessions {
		if f := &s.Sessions[i]; f.State != bfd.Up.String() {
			line(f.color(), "bfd", "%s is %s for %s: %s", f.Name, f.State, since(s.At, f.Since), printable(f.Reason))
		}
	}
}
