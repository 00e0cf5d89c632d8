package config

import (
	"fmt"
	"slices"
	"strings"
)

// Once returns each thing that there is to say once, at the first of its places, with what the others are: a mistake that is in one
// server is often in all of them.
func (ds Diagnostics) Once() Diagnostics {
	type said struct {
		severity      Severity
		message, hint string
	}
	first := make(map[said]int)
	var once Diagnostics
	others := make(map[int][]Position)
	for _, d := range ds {
		key := said{d.Severity, d.Message, d.Hint}
		at, known := first[key]
		if !known {
			first[key] = len(once)
			once = append(once, d)
			continue
		}
		others[at] = append(others[at], d.Position)
	}
	for at, places := range others {
		once[at].Also = otherLines(once[at].Position, places)
	}
	return once
}

// otherLines names the lines of places, as seen from another one; those of its own line need no mention.
func otherLines(from Position, places []Position) string {
	const most = 3
	var lines []string
	var last Position
	for _, p := range places {
		if p.File == from.File && p.Line == from.Line || p.File == last.File && p.Line == last.Line {
			continue
		}
		last = p
		name := fmt.Sprint(p.Line)
		if p.File != from.File {
			name += " of " + p.File
		}
		lines = append(lines, name)
	}
	if len(lines) == 0 {
		return ""
	}
	if more := len(lines) - most; more > 1 {
		lines = append(slices.Clip(lines[:most]), fmt.Sprintf("%d more", more))
	}
	end := len(lines) - 1
	if end == 0 {
		return "line " + lines[0]
	}
	return "lines " + strings.Join(lines[:end], ", ") + " and " + lines[end]
}
