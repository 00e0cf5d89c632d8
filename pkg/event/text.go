package event

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// TimeFormat is how Text shows when it was, in the local time.
const TimeFormat = "2006-01-02 15:04:05"

// Text is the event on a line: when, the kind, what it is about, and what became of it.
func (e *Event) Text() string {
	return fmt.Sprintf("%s  %-9s  %s", e.At.Local().Format(TimeFormat), e.Kind, e.Story())
}

// Story is what it is about, and what became of it.
func (e *Event) Story() string {
	text := printable(e.about())
	change := e.To
	switch {
	case e.From != "" && e.To != "":
		change = e.From + " -> " + e.To
	case e.From != "":
		change = e.From + " is over"
	}
	for _, part := range []string{printable(change), printable(e.Reason)} {
		switch {
		case part == "":
		case text == "":
			text = part
		default:
			text += ": " + part
		}
	}
	if e.Who != "" {
		text += " (" + printable(e.Who) + ")"
	}
	return text
}

// Bad says whether it is a reason to look.
func (e *Event) Bad() bool {
	return e.Kind == Refused || slices.Contains([]string{"down", "FAULT", "rejected", "failing", "held", "not kept", "CONFLICT", "REFUSED"}, e.To)
}

// Good says whether something is well again.
func (e *Event) Good() bool {
	return e.To == "up" && e.From == "down" || e.Kind == Table && e.To == "kept" || e.Kind == Source && e.To == "answering"
}

// about names what an event is about, the smallest thing first.
func (e *Event) about() string {
	var names []string
	for _, name := range []string{e.Server, e.Service, e.Instance, e.Group, e.Object} {
		if name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, " of ")
}

// printable replaces what would move the cursor of a terminal: reasons have words of servers in them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
