// Package document holds a configuration of another tool on its way to ipvsd: TOML that package config reads, each line of it
// with the place in the original that it comes from, and what there is to say about the original.
//
// A reader of a foreign dialect (packages keepalived, ldirectord, piranha) reads the original and writes a Document with a
// Writer. What "ipvsctl convert" prints and what "ipvsd -f" runs is therefore the same text, and the rules of package config
// are applied once, with positions in the file that the user wrote. Nothing here opens a file or starts a goroutine.
package document

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// Host is what a foreign file may ask of the host: it includes other files, and it has conditions and variables. The functions
// are called while the file is read, in its order; the same answers give the same Document.
type Host interface {
	// ReadFile returns the content of a file.
	ReadFile(name string) ([]byte, error)
	// Glob returns the names of the files that match a pattern of the shell's, sorted; none is no error.
	Glob(pattern string) ([]string, error)
	// Getenv returns a variable of the environment, empty if there is none.
	Getenv(name string) string
	// Hostname returns the host's name, with its domain if it is known.
	Hostname() string
	// LookupPort returns the port of a service of /etc/services ("http", "tcp"), 0 if there is none.
	LookupPort(service, protocol string) uint16
	// LookupHost returns the addresses of a name, IPv4 first; an error says what to do.
	LookupHost(name string) ([]string, error)
	// LookPath returns where a program is, as os/exec finds it; an error if it is nowhere, or can't be run.
	LookPath(program string) (string, error)
	// HasAccount says whether there is a user, and a group if it isn't empty; each by name or number.
	HasAccount(user, group string) bool
}

// Settings are what the command line says about a foreign file.
type Settings struct {
	ConfigID string // keepalived's -i: lines with @ID count for it alone
	// AllIncludes refuses a file that includes others which are not there, or can't be read: keepalived's -e.
	AllIncludes bool
	// Elsewhere says that the file need not be for this host: programs and accounts that are missing here are told of, and kept.
	Elsewhere bool
}

// Origin is a place in an original file. The zero value is nowhere: a line that no line of the original stands for.
type Origin struct {
	config.Position
	Width int // characters from there on, at least 1
}

// Document is what a foreign file says, as TOML.
type Document struct {
	Name    string             // of the file that was translated
	Text    string             // what package config loads
	Origins []Origin           // of each line of Text; nil: Text is the original
	Found   config.Diagnostics // what is said of the original before package config has its say
	Odd     bool               // the tool that the file was written for has something to say when it tests the file
	Bare    bool               // that tool complains that scripts of it are not guarded, which counts for more
	Dropped int                // parts that it leaves out
	Sources map[string]string  // the text of each file that was read, by the name that diagnostics call it
	// Reword says a hint in words of TOML in those of the dialect; empty: it has none for it. May be nil.
	Reword func(hint string) string
}

// Load reads the TOML as package config does, and tells all that there is to say with places in the original. The Config is
// nil when Diagnostics.Err is not. A loader that has loaded an earlier version of the file makes the same objects of what has
// not changed.
func (d *Document) Load(loader *config.Loader) (*config.Config, config.Diagnostics) {
	if d.Origins == nil {
		c, found := loader.Load(d.Name, d.Text)
		return c, d.Found.With(found)
	}
	if d.Found.Err() != nil {
		loader = new(config.Loader) // what the file means is not known; but what else is wrong is told at once, too
	}
	loader.Line = d.called
	c, found := loader.Load(d.Name, d.Text)
	loader.Line = nil
	for i := range found {
		found[i] = d.place(found[i])
	}
	if d.Found.Err() != nil {
		c = nil
	}
	if c != nil {
		c.Relocate(d.place)
	}
	return c, d.Ordered(d.Found.With(found))
}

// Ordered puts the file that was named before those that it includes.
func (d *Document) Ordered(found config.Diagnostics) config.Diagnostics {
	slices.SortStableFunc(found, func(a, b config.Diagnostic) int {
		return cmp.Compare(d.included(a), d.included(b))
	})
	return found
}

func (d *Document) included(f config.Diagnostic) int {
	if f.File == d.Name {
		return 0
	}
	return 1
}

// origin returns where a line of the TOML comes from. A line that nothing stands for belongs to the one before it.
func (d *Document) origin(line int) Origin {
	for i := min(line, len(d.Origins)) - 1; i >= 0; i-- {
		if d.Origins[i].Line > 0 {
			return d.Origins[i]
		}
	}
	return Origin{Position: config.Position{File: d.Name, Line: 1, Column: 1}, Width: 1}
}

// place moves what is said of the TOML to the line of the original.
func (d *Document) place(f config.Diagnostic) config.Diagnostic {
	o := d.origin(f.Line)
	f.Position, f.Width = o.Position, max(o.Width, 1)
	f.Hint = d.Advice(f.Hint)
	return f
}

// Advice returns a hint that may be in words of TOML in those of the original's dialect. Where that has none it says that it is of
// TOML: nobody shall write it there.
func (d *Document) Advice(hint string) string {
	if d.Origins == nil || !strings.Contains(hint, " = ") && !strings.Contains(hint, "[[") {
		return hint
	}
	if d.Reword != nil {
		if own := d.Reword(hint); own != "" {
			return own
		}
	}
	return "in TOML: " + hint
}

// called is what messages call a line of the TOML: by where it comes from.
func (d *Document) called(line int) string {
	o := d.origin(line)
	if o.File != d.Name {
		return fmt.Sprintf("line %d of %s", o.Line, o.File)
	}
	return fmt.Sprintf("line %d", o.Line)
}

// Print writes diagnostics as their own method does, each with the line of the file that it is about.
func (d *Document) Print(w io.Writer, found config.Diagnostics) error {
	found = found.Once() // of all files
	for len(found) > 0 {
		file := found[0].File
		n := 1
		for n < len(found) && found[n].File == file {
			n++
		}
		if err := found[:n].Print(w, []byte(d.Sources[file])); err != nil {
			return err
		}
		found = found[n:]
	}
	return nil
}

// Format returns what Print writes.
func (d *Document) Format(found config.Diagnostics) string {
	var b strings.Builder
	_ = d.Print(&b, found) // a Builder never fails
	return b.String()
}
