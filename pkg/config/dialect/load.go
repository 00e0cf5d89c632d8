package dialect

import (
	"fmt"
	"io/fs"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/config/ipvsadm"
	"github.com/ipvsd/ipvsd/pkg/config/keepalived"
	"github.com/ipvsd/ipvsd/pkg/config/ldirectord"
	"github.com/ipvsd/ipvsd/pkg/config/piranha"
	"github.com/ipvsd/ipvsd/pkg/fault"
)

// readers make a document of a file, by its dialect.
var readers = map[Dialect]func(name string, source []byte, h document.Host, s document.Settings) *document.Document{
	Keepalived: keepalived.Translate,
	Ldirectord: ldirectord.Translate,
	Piranha:    piranha.Translate,
	IPVSAdm:    ipvsadm.Translate,
}

// Keywords returns what becomes of each keyword of a dialect; nil for one that has no such table.
func Keywords(d Dialect) []document.KeywordFate {
	switch d {
	case Keepalived:
		return keepalived.Keywords()
	case Ldirectord:
		return ldirectord.Keywords()
	case Piranha:
		return piranha.Keywords()
	case TOML, IPVSAdm:
	}
	return nil
}

// Loaded is a configuration as it was read. Its Format and Print write diagnostics with the lines of the files that they are
// about.
type Loaded struct {
	Dialect
	*document.Document                    // Found of it is a part of Problems
	Config             *config.Config     // nil if it is refused
	Problems           config.Diagnostics // all there is to say, with places in the files as they were read
}

// Loader loads one version of a file after the other. A virtual server that says the same in both is the same object in both,
// as config.Loader has it, whatever the dialect. The zero value is ready. It is not safe for concurrent use.
type Loader struct{ parts config.Loader }

// Load reads a configuration. The name is what diagnostics call it, and where what it includes is looked for.
//
// A file that is too much for the reader, by a fault of ours, is refused like one with a mistake: a daemon stays with what it has.
func (l *Loader) Load(name, source string, h document.Host, s document.Settings) (r *Loaded) {
	r = &Loaded{Dialect: Of(name, source)}
	defer func() {
		if p := recover(); p != nil {
			*l = Loader{} // it may be half done
			r.Document, r.Config, r.Problems = verbatim(name, source), nil, config.Diagnostics{{
				Position: config.Position{File: name, Line: 1, Column: 1}, Severity: config.Error, Message: fault.Of(p).Error(),
				Hint: "nothing was read; undo the last change of the file, or write it in another way",
			}}
		}
	}()
	if read := readers[r.Dialect]; read != nil {
		r.Document = read(name, []byte(source), h, s)
	} else {
		r.Document = verbatim(name, source)
	}
	r.Config, r.Problems = r.Document.Load(&l.parts)
	return r
}

// verbatim returns a file as it is.
func verbatim(name, source string) *document.Document {
	return &document.Document{Name: name, Text: source, Sources: map[string]string{name: source}}
}

// Add adds what there is to say besides.
func (r *Loaded) Add(more config.Diagnostics) {
	for i := range more {
		more[i].Hint = r.Advice(more[i].Hint)
	}
	r.Problems = r.Ordered(r.Problems.With(more))
}

// Strictly makes errors of warnings, and refuses what is not without.
func (r *Loaded) Strictly() {
	r.Problems = r.Problems.Strict()
	if r.Problems.Err() != nil {
		r.Config = nil
	}
}

// Files is what a configuration includes, as it was read: enough to read the same again elsewhere.
type Files struct {
	Texts map[string][]byte   // by name
	Globs map[string][]string // names by pattern
}

// Recorder is a Host that remembers the files that it was asked for.
type Recorder struct {
	document.Host
	Files
}

// NewRecorder returns a Recorder of a host's files.
func NewRecorder(h document.Host) *Recorder {
	return &Recorder{h, Files{make(map[string][]byte), make(map[string][]string)}}
}

// ReadFile is document.Host's.
func (r *Recorder) ReadFile(name string) ([]byte, error) {
	text, err := r.Host.ReadFile(name)
	if err == nil {
		r.Texts[name] = text
	}
	return text, err
}

// Glob is document.Host's.
func (r *Recorder) Glob(pattern string) ([]string, error) {
	names, err := r.Host.Glob(pattern)
	if err == nil {
		r.Globs[pattern] = names
	}
	return names, err
}

// Sealed is a Host with these files and no others.
type Sealed struct {
	document.Host
	Files
}

// ReadFile is document.Host's.
func (s Sealed) ReadFile(name string) ([]byte, error) {
	text, known := s.Texts[name]
	if !known {
		return nil, fmt.Errorf("%s was not sent along: %w", name, fs.ErrNotExist)
	}
	return text, nil
}

// Glob is document.Host's.
func (s Sealed) Glob(pattern string) ([]string, error) { return s.Globs[pattern], nil }
