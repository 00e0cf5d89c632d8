// Package document holds a configuration of another tool on its way to ipvsd: TOML that package config reads, each line of it
// with the place in the original that it comes from, and what there is to say about the original.
//
// A reader of a foreign dialect (packages keepalived, ldirectord, piranha) reads the original and writes a Document with a
// Writer. What "ipvsctl convert" prints and what "ipvsd -f" runs is therefore the same text, and the rules of package config
// are applied once, with positions in the file that the user wrote. Nothing here opens a file or starts a goroutine.
package document

import (
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
}

// Settings are what the command line says about a foreign file.
type Settings struct {
	ConfigID string // keepalived's -i: lines with @ID count for it alone
}

// Origin is a place in an original file. The zero value is nowhere: a line that no line of the original stands for.
type Origin struct {
	config.Position
	Width int // characters from there on, at least 1
}

// Document is what a foreign file says, as TOML.
type Document struct {
	Text    string             // what package config loads
	Origins []Origin           // of each line of Text
	Found   config.Diagnostics // what is said of the original before package config has its say
	Sources map[string]string  // the text of each file that was read, by the name that diagnostics call it
}

// Load reads the TOML as package config does, and tells all that there is to say with places in the original. The Config is
// nil when Diagnostics.Err is not.
func (d *Document) Load(loader *config.Loader, name string) (*config.Config, config.Diagnostics) {
	if d.Found.Err() != nil {
		// What the original means is not known; but what else is wrong is told at once, too.
		_, found := new(config.Loader).Load(name, d.Text)
		return nil, d.Found.With(d.place(found))
	}
	c, found := loader.Load(name, d.Text)
	return c, d.Found.With(d.place(found))
}

// place moves diagnostics about the TOML to the lines of the original.
func (d *Document) place(found config.Diagnostics) config.Diagnostics {
	placed := make(config.Diagnostics, len(found))
	for i, f := range found {
		if f.Line >= 1 && f.Line <= len(d.Origins) {
			if o := d.Origins[f.Line-1]; o.Line > 0 {
				f.Position, f.Width = o.Position, max(o.Width, 1)
			}
		}
		placed[i] = f
	}
	return placed
}
