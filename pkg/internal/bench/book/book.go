// Package book turns what was measured into a benchmark book: chapters of tables, as Markdown, as SVG plots and as JSON, in which
// the rounds of several boots are put together. It measures nothing, reads no clock and no file, and starts no goroutines: package bench
// measures and writes.
//
// A figure is the median of all measurements, of an even number the mean of the middle two, with the best and the worst of them, and a row says
// how many times better ours is than each other contender's, below 1 where it is worse. Those rows are marked, and told again at the end of the
// chapter under "What we lose". What there was nothing of, such as requests of which some might have failed, is no figure.
package book

import (
	"errors"
	"fmt"
	"slices"
)

// Unit says what the numbers of a table are.
type Unit string

// The units. Numbers are seconds, bytes, pieces, and pieces a second.
const (
	Time  Unit = "time"
	Bytes Unit = "bytes"
	Count Unit = "count"
	Rate  Unit = "rate"
)

// Chapter is what was measured of one subject.
type Chapter struct {
	Name   string   `json:"name"` // that of its files
	Title  string   `json:"title"`
	Notes  []string `json:"notes,omitempty"` // paragraphs of Markdown: what was measured how, and what it does not tell
	Boots  []Boot   `json:"boots"`
	Tables []*Table `json:"tables"`
}

// Boot is one start of the kernel in which there were measurements.
type Boot struct {
	When     string   `json:"when"`    // in UTC
	Command  string   `json:"command"` // whose boot it was, maybe one of several
	Runs     int      `json:"runs"`
	Quick    bool     `json:"quick,omitempty"` // it only shows that the chapter works
	Load     string   `json:"load"`            // of the machine around it, at the beginning: its average load
	Machine  string   `json:"machine"`
	Kernel   string   `json:"kernel"`
	Commit   string   `json:"commit"`               // the last one of the programs
	Versions []string `json:"versions"`             // of all programs
	Unfit    string   `json:"unfinished,omitempty"` // why it did not come to its end
}

// Table compares contenders, row by row.
type Table struct {
	Name       string   `json:"name"` // that of its plot, after the chapter's
	Title      string   `json:"title"`
	Unit       Unit     `json:"unit"`
	Contenders []string `json:"contenders"`  // the first is ours
	X          string   `json:"x,omitempty"` // what grows from row to row; empty: rows are different things
	Rows       []*Row   `json:"rows"`
}

// Row is one thing that was measured of contenders.
type Row struct {
	Label string           `json:"label"`
	X     float64          `json:"x,omitempty"` // of what grows
	Cells map[string]*Cell `json:"cells"`       // by contender
}

// Cell is all that was measured of one thing of one contender.
type Cell struct {
	Values []float64 `json:"values,omitempty"` // in the order of the runs
	Of     []float64 `json:"of,omitempty"`     // counts: of how many each; then only the sums say something
	Missed int       `json:"missed,omitempty"` // runs that brought no value
	Note   string    `json:"note,omitempty"`   // such as why there is no value
}

// Table returns the chapter's table of that name, which it makes of t if there is none.
func (c *Chapter) Table(t Table) *Table {
	for _, have := range c.Tables {
		if have.Name == t.Name {
			return have
		}
	}
	c.Tables = append(c.Tables, &t)
	return &t
}

// Cell returns that of a contender in the row of that label, which is made if there is none.
func (t *Table) Cell(label, contender string) *Cell {
	row := t.row(label)
	if row.Cells[contender] == nil {
		row.Cells[contender] = new(Cell)
	}
	return row.Cells[contender]
}

// At is Cell in a table in which something grows.
func (t *Table) At(x float64, contender string) *Cell {
	cell := t.Cell(number(x), contender)
	t.row(number(x)).X = x
	return cell
}

func (t *Table) row(label string) *Row {
	if at := slices.IndexFunc(t.Rows, func(r *Row) bool { return r.Label == label }); at >= 0 {
		return t.Rows[at]
	}
	row := &Row{Label: label, Cells: make(map[string]*Cell)}
	t.Rows = append(t.Rows, row)
	return row
}

// Add adds a measurement.
func (c *Cell) Add(value float64) { c.Values = append(c.Values, value) }

// AddOf adds a count of so many.
func (c *Cell) AddOf(value, of float64) {
	c.Values, c.Of = append(c.Values, value), append(c.Of, of)
}

// Miss tells of a run that brought no value, and why.
func (c *Cell) Miss(why error) {
	c.Missed++
	if c.Note == "" {
		c.Note = why.Error()
	}
}

// known says whether there is a figure. None of no requests is none.
func (c *Cell) known() bool {
	return c != nil && len(c.Values) > 0 && (len(c.Of) == 0 || sum(c.Of) > 0)
}

// figure is what stands for all measurements, of which there are some: their median, or what part of all it was.
func (c *Cell) figure() float64 {
	if len(c.Of) > 0 {
		return sum(c.Values) / sum(c.Of)
	}
	sorted := slices.Sorted(slices.Values(c.Values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (c *Cell) least() float64 { return slices.Min(c.Values) }
func (c *Cell) most() float64  { return slices.Max(c.Values) }

func sum(list []float64) (all float64) {
	for _, v := range list {
		all += v
	}
	return all
}

// Merge puts another boot's measurements to a chapter's. Those of other programs, sizes or machines don't belong together: then the chapter
// is as it was.
func (c *Chapter) Merge(other Chapter) error {
	if c.Name != other.Name {
		return fmt.Errorf("%s and %s are different chapters", c.Name, other.Name)
	}
	for _, a := range c.Boots {
		for _, b := range other.Boots {
			if err := a.sameAs(b); err != nil {
				return fmt.Errorf("chapter %s: %w", c.Name, err)
			}
		}
	}
	c.Boots = append(c.Boots, other.Boots...)
	c.Notes = united(c.Notes, other.Notes)
	for _, t := range other.Tables {
		empty := *t
		empty.Rows = nil
		into := c.Table(empty)
		into.Contenders = united(into.Contenders, t.Contenders)
		for _, r := range t.Rows {
			into.row(r.Label).X = r.X
			for contender, cell := range r.Cells {
				have := into.Cell(r.Label, contender)
				have.Values, have.Of = append(have.Values, cell.Values...), append(have.Of, cell.Of...)
				have.Missed += cell.Missed
				if have.Note == "" {
					have.Note = cell.Note
				}
			}
		}
	}
	return nil
}

func (b Boot) sameAs(other Boot) error {
	switch {
	case b.Quick != other.Quick:
		return errors.New("one of the two boots was a quick one")
	case b.Machine != other.Machine:
		return fmt.Errorf("one boot was on %q, one on %q", b.Machine, other.Machine)
	case b.Kernel != other.Kernel:
		return fmt.Errorf("one boot was of %q, one of %q", b.Kernel, other.Kernel)
	case b.Commit != other.Commit:
		return fmt.Errorf("one boot was at commit %s, one at %s", b.Commit, other.Commit)
	case !slices.Equal(b.Versions, other.Versions):
		return fmt.Errorf("one boot was of %v, one of %v", b.Versions, other.Versions)
	}
	return nil
}

// united are all of both, each once.
func united(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}
