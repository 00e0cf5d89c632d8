package daemon

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/dialect"
	"github.com/ipvsd/ipvsd/pkg/config/dialect/dialecthost"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/track"
)

// Reading is how the command line wants configurations to be read.
type Reading struct {
	ConfigID string // of lines of a keepalived.conf that begin with @; empty: this host's name
	Strict   bool   // refuse what has warnings
	// AllIncludes refuses a keepalived.conf that includes files which are not there.
	AllIncludes bool
	Part        Part
}

// Part is how much of a configuration is run: keepalived's --vrrp and --check.
type Part uint8

// The parts.
const (
	All        Part = iota
	OnlyVRRP        // no virtual servers
	OnlyChecks      // no virtual routers
)

// of returns the part of a configuration.
func (p Part) of(c *config.Config) *config.Config {
	if p == All {
		return c
	}
	part := *c
	if p == OnlyVRRP {
		part.VirtualServers = nil
	} else {
		part.VRRP = config.VRRP{BFD: c.VRRP.BFD, Files: c.VRRP.Files} // which checks may ask
	}
	return &part
}

// answer is an Answer in the making.
type answer struct {
	*status.Answer
	problems config.Diagnostics
	dialect  dialect.Dialect
	insecure bool          // a script of it is
	odd      bool          // its own tool has something to say about it
	bare     bool          // it complains that scripts of it are not guarded
	dropped  int           // parts of it that are left out
	blank    bool          // it says nothing at all
	read     *control.File // as it was read; nil: it was sent, or could not be
}

// load returns the configuration of a file that a client sent, or else of the daemon's own; nil if it is rejected. It may
// take seconds and touches nothing of the owner's state but the loader, which belongs to who holds reloads: it runs in the
// goroutine of whoever asks.
func (o *owner) load(file *control.File, r Reading) (*config.Config, answer) {
	if file != nil {
		if file.ConfigID != "" {
			r.ConfigID = file.ConfigID
		}
		return r.sent(file)
	}
	cfg, a := r.file(&o.loader, o.files.config)
	if cfg != nil && cfg.GlobalDefs.NetNamespace != o.moved {
		stays := config.Diagnostic{
			Position: config.Position{File: o.files.config, Line: 1, Column: 1}, Severity: config.Warning,
			Message: "net_namespace is another one than at the start: ipvsd stays where it is until it is started again",
		}
		a.problems = a.problems.With(config.Diagnostics{stays})
		a.Warnings += stays.String() + "\n"
	}
	return cfg, a
}

// makeFiles makes the files that virtual routers track and checks read, before they do. It runs where load does.
func (o *owner) makeFiles(cfg *config.Config) {
	track.Initialize(o.log, cfg.VRRP.Files, o.made)
	o.made = cfg.VRRP.Files
}

// file loads a file of this machine.
func (r Reading) file(loader *dialect.Loader, name string) (*config.Config, answer) {
	host := dialect.NewRecorder(dialecthost.New())
	text, err := host.Host.ReadFile(name)
	if err != nil {
		return nil, answer{Answer: &status.Answer{Rejected: fmt.Sprintln(err)}, dialect: dialect.Of(name, "")}
	}
	cfg, a := r.load(loader, name, string(text), host)
	a.read = &control.File{Name: name, Text: text, ConfigID: r.ConfigID, Texts: host.Texts, Globs: host.Globs}
	return cfg, a
}

// sent loads a file as a client has read it, with what it includes.
func (r Reading) sent(file *control.File) (*config.Config, answer) {
	host := dialect.Sealed{Host: dialecthost.New(), Files: dialect.Files{Texts: file.Texts, Globs: file.Globs}}
	return r.load(new(dialect.Loader), file.Name, string(file.Text), host)
}

func (r Reading) load(loader *dialect.Loader, name, text string, host document.Host) (*config.Config, answer) {
	l := loader.Load(name, text, host, document.Settings{ConfigID: r.ConfigID, AllIncludes: r.AllIncludes})
	insecure, lacking := false, false
	if l.Config != nil {
		l.Config = r.Part.of(l.Config)
		found, exchangeable := unfit(l.Config)
		missing := absent(l.Config)
		insecure, lacking = exchangeable, len(missing) > 0 && l.Dialect == dialect.Keepalived // which counts it as a mistake
		l.Add(slices.Concat(found, missing, locked(l.Config)))
	}
	if r.Strict {
		l.Strictly()
	}
	a := answer{&status.Answer{}, l.Problems, l.Dialect, insecure, l.Odd || lacking, l.Bare, l.Dropped, strings.TrimSpace(text) == "", nil}
	if l.Config == nil {
		a.Rejected = l.Format(l.Problems)
	} else {
		a.Warnings = l.Format(l.Problems)
	}
	return l.Config, a
}

// ReadFile returns a file for a daemon, or for a function of this package, with all that it includes.
func ReadFile(name string, r Reading) (*control.File, error) {
	if absolute, err := filepath.Abs(name); err == nil {
		name = absolute
	}
	host := dialect.NewRecorder(dialecthost.New())
	text, err := host.Host.ReadFile(name)
	if err != nil {
		return nil, err
	}
	new(dialect.Loader).Load(name, string(text), host, document.Settings{ConfigID: r.ConfigID})
	return &control.File{Name: name, Text: text, ConfigID: r.ConfigID, Texts: host.Texts, Globs: host.Globs}, nil
}

// Verdict is what there is to say about a configuration file on this host.
type Verdict struct {
	*status.Answer
	dialect.Dialect
	Odd      bool // the tool that the file was written for has something to say about it
	Bare     bool // that tool complains that scripts of it are not guarded, which counts for more
	Insecure bool // a script that root is to run can be exchanged by others, and is not run therefore
}

// Check returns what there is to say about a configuration file on this host: besides what is wrong with it, which scripts of it
// can't be run, and which files of its checks can't be read.
func Check(name string, r Reading) Verdict {
	_, a := r.file(new(dialect.Loader), name)
	return Verdict{a.Answer, a.dialect, a.odd, a.bare, a.insecure}
}
