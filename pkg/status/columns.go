package status

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Style is how text comes out: plain, or with the colours of a terminal.
type Style struct{ Color bool }

// The colours, by their SGR parameters.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s Style) paint(sgr, text string) string {
	if !s.Color || sgr == "" || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// Alarm returns a text as it looks that somebody should read first.
func (s Style) Alarm(text string) string { return s.paint(red, text) }

// cell is a text and how it looks; a right one is aligned to the right, as numbers are.
type cell struct {
	text, sgr string
	right     bool
}

// columns prints rows of cells so that columns line up, two blanks apart. text/tabwriter can't: it counts the bytes of
// colours as width.
type columns struct {
	style Style
	rows  [][]cell
}

func (c *columns) row(cells ...cell) {
	for i := range cells {
		cells[i].text = printable(cells[i].text)
	}
	c.rows = append(c.rows, cells)
}

func (c *columns) write(w io.Writer, indent string) error {
	var width []int
	for _, row := range c.rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell.text))
		}
	}
	var out, line strings.Builder
	for _, row := range c.rows {
		line.Reset()
		line.WriteString(indent)
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell.text))
			text := c.style.paint(cell.sgr, cell.text)
			if cell.right {
				line.WriteString(pad + text + "  ")
			} else {
				line.WriteString(text + pad + "  ")
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
