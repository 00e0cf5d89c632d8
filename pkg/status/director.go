package status

import (
	"fmt"
	"time"
)

// Director is another director, or an etcd where directors meet, and whether it has the same wishes.
type Director struct {
	Name         string        `json:"name"`
	Address      string        `json:"address"`
	Etcd         bool          `json:"etcd,omitempty"`         // it is an etcd; Address are its endpoints
	Reached      time.Time     `json:"reached,omitzero"`       // when it last answered
	FailingSince time.Time     `json:"failing_since,omitzero"` // it can't be told anything since then
	Error        string        `json:"error,omitempty"`        // why
	InStep       bool          `json:"in_step"`                // it has the same wishes
	Newest       time.Time     `json:"newest,omitzero"`        // of its newest wish, when it was reached
	Newer        bool          `json:"newer,omitempty"`        // that is newer than all that are known here
	ClockAhead   time.Duration `json:"clock_ahead,omitempty"`  // nanoseconds, of its clock; below 0 it is behind; 0: less than some seconds
}

// Title is what it is called in a text: "director lb2", "etcd".
func (d *Director) Title() string {
	if d.Etcd {
		return "etcd"
	}
	return "director " + d.Name
}

// State says in a few words whether a director has the same wishes.
func (d *Director) State(now time.Time) string {
	text := ""
	switch {
	case d.Error != "":
		text = fmt.Sprintf("can't be told for %s: %s", since(now, d.FailingSince), d.Error)
	case d.Reached.IsZero():
		text = "not asked yet"
	case d.InStep:
		text = "has the same wishes"
	case d.Newer:
		text = "has newer wishes; they are being fetched"
	default:
		text = "lacks wishes; it is being told"
	}
	if d.ClockAhead > 0 {
		text += fmt.Sprintf("; its clock is %v ahead", d.ClockAhead)
	} else if d.ClockAhead < 0 {
		text += fmt.Sprintf("; its clock is %v behind", d.ClockAhead.Abs())
	}
	return text
}
