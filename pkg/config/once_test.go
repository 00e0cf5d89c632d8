package config

import (
	"strings"
	"testing"
)

// What is wrong in many places is told once, with the others.
func TestOnce(t *testing.T) {
	of := func(line, column int, file, message string) Diagnostic {
		return Diagnostic{Position: Position{File: file, Line: line, Column: column}, Width: 1, Severity: Warning, Message: message}
	}
	for _, tt := range []struct {
		name  string
		found Diagnostics
		want  string
	}{
		{"nothing", nil, ""},
		{"two", Diagnostics{of(11, 1, "a", "x"), of(12, 1, "a", "x")}, "a:11:1: warning: x\nalso on line 12\n"},
		{"a line once", Diagnostics{of(11, 1, "a", "x"), of(11, 5, "a", "x"), of(12, 1, "a", "x"), of(12, 5, "a", "x")}, "a:11:1: warning: x\nalso on line 12\n"},
		{"its own line", Diagnostics{of(11, 1, "a", "x"), of(11, 5, "a", "x")}, "a:11:1: warning: x\n"},
		{"four", Diagnostics{of(11, 1, "a", "x"), of(12, 1, "a", "y"), of(13, 1, "a", "x"), of(14, 1, "a", "x"), of(15, 1, "a", "x"), of(16, 1, "a", "x")},
			"a:11:1: warning: x\nalso on lines 13, 14, 15 and 16\na:12:1: warning: y\n"},
		{"many", Diagnostics{of(11, 1, "a", "x"), of(13, 1, "a", "x"), of(14, 1, "a", "x"), of(15, 1, "a", "x"), of(16, 1, "a", "x"), of(17, 1, "a", "x")},
			"a:11:1: warning: x\nalso on lines 13, 14, 15 and 2 more\n"},
		{"another file", Diagnostics{of(11, 1, "a", "x"), of(13, 1, "b", "x"), of(13, 1, "c", "x")}, "a:11:1: warning: x\nalso on lines 13 of b and 13 of c\n"},
	} {
		if got := tt.found.Format(nil); got != tt.want {
			t.Errorf("%s: got\n%s", tt.name, got)
		}
	}
	// With another severity, or another hint, it is another thing.
	a, b := of(11, 1, "a", "x"), of(12, 1, "a", "x")
	b.Severity = Error
	if got := (Diagnostics{a, b}).Format(nil); strings.Contains(got, "also") {
		t.Error(got)
	}
}
