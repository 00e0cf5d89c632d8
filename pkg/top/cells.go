package top

import (
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// cells returns how many cells of a terminal text takes as it is shown: a character such as 東 has two of them, and an accent none of its own.
func cells(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return uniseg.StringWidth(printable(text))
		}
	}
	return len(text)
}

// pad fills text up to so many cells.
func pad(text string, width int, left bool) string {
	blanks := strings.Repeat(" ", max(width-cells(text), 0))
	if left {
		return text + blanks
	}
	return blanks + text
}

// short returns text in so many cells at most. What is cut off is at the end; of numbers, nothing is shown that would be another one.
func short(text string, width int, words bool) string {
	if cells(text) <= width {
		return text
	}
	if !words {
		return strings.Repeat("#", max(width, 0))
	}
	const dots = ".."
	if width <= len(dots) {
		return dots[:max(width, 0)]
	}
	var b strings.Builder
	for cell := range Cells(printable(text)) {
		if width -= cell.Width; width < len(dots) {
			break
		}
		b.WriteString(cell.Text)
	}
	return b.String() + dots
}

// printable replaces what is no character with a cell of its own.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// Cell is what a reader takes for one character: a letter with its accents. It takes two cells where it is wide.
type Cell struct {
	Text  string
	Width int
}

// Cells returns the characters of a text, from left to right.
func Cells(text string) func(yield func(Cell) bool) {
	return func(yield func(Cell) bool) {
		state := -1
		for text != "" {
			var c Cell
			if c.Text, text, c.Width, state = uniseg.FirstGraphemeClusterInString(text, state); !yield(c) {
				return
			}
		}
	}
}
