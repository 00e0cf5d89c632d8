package status

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// History is which configurations the daemon took.
type History struct {
	At        time.Time  `json:"at"`
	Pending   *Pending   `json:"pending,omitempty"` // absent: none waits for a confirmation
	Error     string     `json:"error,omitempty"`   // why the newest can't be kept
	Revisions []Revision `json:"revisions"`         // the newest first: it is in force
}

// How a configuration came to be taken.
const (
	AtStart     = "start"
	ByReload    = "reload"
	ByApply     = "apply"
	ByRollback  = "rollback"
	Unconfirmed = "unconfirmed" // the daemon went back to it
)

// Revision is a configuration that the daemon took.
type Revision struct {
	Number   int       `json:"number"`
	Taken    time.Time `json:"taken"`
	Why      string    `json:"why"`
	Who      string    `json:"who,omitempty"`    // the user, if one asked for it
	Reason   string    `json:"reason,omitempty"` // in their words
	From     string    `json:"from"`             // name of the file, as the user called it
	Of       int       `json:"of,omitempty"`     // the Revision that was taken again
	Hash     string    `json:"sha256"`           // of its text, and of what it includes
	Bytes    int       `json:"bytes"`            // of all that
	Includes []string  `json:"includes,omitempty"`
	Services int       `json:"services"`
	Routers  int       `json:"routers"` // virtual ones
}

// Pending is a Revision that is in force until a moment, unless somebody confirms it.
type Pending struct {
	Revision int           `json:"revision"`
	Back     int           `json:"back"` // the Revision that is in force afterwards
	Left     time.Duration `json:"left"`
	Until    time.Time     `json:"until"`
	Who      string        `json:"who,omitempty"`
	// Unwritten is why Back, which is in force again, can't be written to the configuration file. That is tried again until it works.
	Unwritten string `json:"unwritten,omitempty"`
}

// Hint says what can be done about it.
func (p *Pending) Hint() string {
	if p.Unwritten != "" {
		return "once the file can be written: ipvsctl rollback does it now"
	}
	return "ipvsctl confirm keeps it, ipvsctl rollback goes back now"
}

// String says what is waited for.
func (p *Pending) String() string {
	if p.Unwritten != "" {
		return fmt.Sprintf("configuration %d was not confirmed, and configuration %d is in force again, but its file can't be written, which is tried again: %s", p.Revision, p.Back, p.Unwritten)
	}
	by := ""
	if p.Who != "" {
		by = " of " + p.Who
	}
	return fmt.Sprintf("configuration %d%s waits for its confirmation, for %s more; without it, configuration %d returns", p.Revision, by, max(p.Left, 0).Round(time.Second), p.Back)
}

// Text prints the configurations, a line each.
func (h *History) Text(w io.Writer, style Style) error {
	if h.Pending != nil {
		fmt.Fprintf(w, "%s\n%s\n\n", style.paint(yellow, printable(h.Pending.String())), h.Pending.Hint())
	}
	if h.Error != "" {
		fmt.Fprintf(w, "%s\n\n", style.paint(red, "the newest configuration could not be kept: "+printable(h.Error)))
	}
	c := columns{style: style}
	c.row(headRight("N"), head("TAKEN"), head("BY"), head("WHO"), headRight("SERVICES"), headRight("ROUTERS"), head("SHA256"), head("FROM"), head("REASON"))
	for i := range h.Revisions {
		r := &h.Revisions[i]
		number := cell{text: strconv.Itoa(r.Number), right: true}
		if i == 0 {
			number.sgr = green
		}
		why := r.Why
		if r.Of > 0 {
			why += fmt.Sprintf(" of %d", r.Of)
		}
		who := r.Who
		if who == "" {
			who = "-"
		}
		c.row(number, cell{text: r.Taken.Local().Format("2006-01-02 15:04:05")}, cell{text: why}, cell{text: who},
			cell{text: strconv.Itoa(r.Services), right: true}, cell{text: strconv.Itoa(r.Routers), right: true},
			cell{text: r.Hash[:min(12, len(r.Hash))], sgr: dim}, cell{text: r.From}, cell{text: strings.TrimSpace(r.Reason)})
	}
	return c.write(w, "")
}

// Text says that a configuration stays.
func (r *Revision) Text(w io.Writer, style Style) error {
	_, err := fmt.Fprintln(w, style.paint(green, fmt.Sprintf("configuration %d stays", r.Number)))
	return err
}
