package main

import (
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// stage is what the audience sees. What fails in the lab ends the story.
type stage struct {
	lab.Program
	color bool
}

func (s *stage) paint(sgr, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (s *stage) title(text string) { fmt.Printf("\n%s\n", s.paint("1;36", text)) }

func (s *stage) say(format string, args ...any) { fmt.Printf("   "+format+"\n", args...) }

// command shows what would be typed.
func (s *stage) command(args ...string) {
	fmt.Printf("   %s %s\n", s.paint("2", "$"), s.paint("1", strings.Join(args, " ")))
}

// quote shows the output of a command or a file.
func (s *stage) quote(text string) {
	if strings.TrimSpace(text) == "" {
		text = "(nothing)"
	}
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		fmt.Print("   ", s.paint("2", "| "), line)
	}
	fmt.Println()
}

// table shows rows of a name and a value.
func (s *stage) table(rows [][2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	for _, r := range rows {
		fmt.Printf("   %-*s  %s\n", width, r[0], s.paint("1;32", r[1]))
	}
}

func (s *stage) fail(err error) {
	fmt.Printf("\n%s %v\n", s.paint("1;31", "Not as it should be:"), err)
}

// wait waits until something is seen.
func (s *stage) wait(what string, f func() error) { lab.WaitFor(s, patience, what, f) }

// mustBe ends the story if a text does not hold another.
func (s *stage) mustBe(want, text string) {
	if !strings.Contains(text, want) {
		s.Fatalf("expected to read %q in\n%s", want, text)
	}
}
