package compat

import (
	"fmt"
	"regexp"
	"strings"
)

// row is a line of the table in contrib/compat/README.md: a file with which ipvsd differs from keepalived.
type row struct {
	file        string
	differences []string // of the directors as they are, and once servers are gone if that is not the same
	reason      string
}

var tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]*) \\|$")

// rows reads the table.
func rows(readme string) (map[string]row, error) {
	all := map[string]row{}
	for _, m := range tableRow.FindAllStringSubmatch(readme, -1) {
		r := row{m[1], strings.Split(m[2], ", "), strings.TrimSpace(m[3])}
		switch _, twice := all[r.file]; {
		case twice:
			return nil, fmt.Errorf("%s is there twice", r.file)
		case r.reason == "":
			return nil, fmt.Errorf("%s differs without a reason", r.file)
		}
		all[r.file] = r
	}
	return all, nil
}

// String returns the row as it stands in the table.
func (r row) String() string {
	return fmt.Sprintf("| `%s` | %s | %s |", r.file, strings.Join(r.differences, ", "), r.reason)
}
