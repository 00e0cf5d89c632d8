// Package audit is what the audit log has: an Entry for each thing that somebody had the daemon do, or was refused. It has no file and no
// clock: package journal writes and keeps the log.
//
// The log is lines of JSON. A line that is none, because the disk was full or the power failed, is passed over and counted.
package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Entry is one line of the log. It never has secrets.
type Entry struct {
	At      time.Time `json:"at"`                // when it had been done
	Who     string    `json:"who"`               // "root" on the control socket, "token NAME" or "certificate NAME" by TCP, "ipvsd" itself
	UID     *int64    `json:"uid,omitempty"`     // on the socket
	Login   string    `json:"login,omitempty"`   // who logged in, where that is another user: by way of sudo
	Address string    `json:"address,omitempty"` // of a client by TCP
	Action  string    `json:"action"`            // the name of the call
	Detail  string    `json:"detail,omitempty"`  // "drain 10.0.0.2:80", or the call's parameters
	Reason  string    `json:"reason,omitempty"`  // as whoever did it said
	Status  int       `json:"status,omitempty"`  // of HTTP; 0: it is about the log
	Error   string    `json:"error,omitempty"`   // why it was refused, or failed
}

// Report is what is known of the log.
type Report struct {
	Entries []Entry `json:"entries"`           // the oldest first
	More    bool    `json:"more,omitempty"`    // there are older ones, which were not asked for
	Skipped int     `json:"skipped,omitempty"` // lines that can't be read
	Lost    uint64  `json:"lost,omitempty"`    // entries that could not be written since the daemon started
	Error   string  `json:"error,omitempty"`   // why entries can't be written now
}

// longest is how many characters of a text the log keeps.
const longest = 300

// Clip makes the texts of an entry as short as the log keeps them, each on one line.
func (e Entry) Clip() Entry {
	for _, s := range []*string{&e.Who, &e.Login, &e.Address, &e.Action, &e.Detail, &e.Reason, &e.Error} {
		*s = clip(*s)
	}
	return e
}

func clip(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest-1]) + "…"
	}
	return s
}

// Line returns the entry as the log has it.
func (e Entry) Line() ([]byte, error) {
	line, err := json.Marshal(e.Clip())
	return append(line, '\n'), err
}

// longestLine is more than a line can have.
const longestLine = 64 << 10

// Add reads a part of a log into a report: entries from a time on, of which it keeps the last so many.
func (r *Report) Add(log io.Reader, since time.Time, last int) error {
	in := bufio.NewReaderSize(log, longestLine)
	for {
		line, err := in.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // no line of ours: past it
			line = nil
			_, err = in.ReadSlice('\n')
		}
		var e Entry
		switch text := bytes.TrimSpace(line); {
		case len(text) == 0 && len(line) > 0, errors.Is(err, io.EOF) && len(line) == 0:
		case json.Unmarshal(text, &e) != nil || e.Action == "" || e.At.IsZero():
			r.Skipped++
		case !e.At.Before(since):
			r.Entries = append(r.Entries, e.Clip()) // others may have written to the file
		}
		if len(r.Entries) > 2*last {
			r.keep(last)
		}
		if errors.Is(err, io.EOF) {
			r.keep(last)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *Report) keep(last int) {
	if n := len(r.Entries) - last; n > 0 {
		r.Entries, r.More = append(r.Entries[:0], r.Entries[n:]...), true
	}
}

// timeFormat is how people see times.
const timeFormat = "2006-01-02 15:04:05"

// Text returns the report as a table, with times of a place.
func (r *Report) Text(in *time.Location) string {
	var out strings.Builder
	if r.More {
		out.WriteString("There are older entries: --last shows more of them.\n")
	}
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	if len(r.Entries) > 0 {
		fmt.Fprintln(w, "TIME\tWHO\tFROM\tWHAT\tRESULT\tREASON")
	}
	for _, e := range r.Entries {
		who, from := e.Who, e.Address
		if e.Login != "" {
			who += " (" + e.Login + ")"
		}
		if from == "" {
			from = "socket"
		}
		result := "done"
		if e.Error != "" {
			result = e.Error
		}
		if e.Status == 0 {
			from, result = "-", e.Error
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.At.In(in).Format(timeFormat), who, from, strings.TrimSpace(e.Action+" "+e.Detail), result, e.Reason)
	}
	_ = w.Flush() // to memory
	var lines strings.Builder
	for line := range strings.Lines(out.String()) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if len(r.Entries) == 0 {
		lines.WriteString("Nothing has been done.\n")
	}
	if r.Skipped > 0 {
		fmt.Fprintf(&lines, "%d lines can't be read.\n", r.Skipped)
	}
	if r.Lost > 0 {
		fmt.Fprintf(&lines, "%d entries could not be written since the daemon started.\n", r.Lost)
	}
	if r.Error != "" {
		fmt.Fprintf(&lines, "Nothing can be written now: %s\n", r.Error)
	}
	return lines.String()
}
