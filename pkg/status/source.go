package status

import (
	"fmt"
	"time"
)

// Source is where members of virtual servers come from.
type Source struct {
	Source   string    `json:"source"`   // "dns web.example.org"
	Services []string  `json:"services"` // names of the virtual servers that have members of it
	Named    int       `json:"named"`    // servers that its last answer names, whatever their tags
	Servers  int       `json:"servers"`  // of virtual servers that come from it, each once
	Answered time.Time `json:"answered,omitzero"`

	Error   string    `json:"error,omitempty"` // why it can't be read; its servers are those of its last answer meanwhile
	Failed  time.Time `json:"failed,omitzero"` // since when
	Warning string    `json:"warning,omitempty"`

	Held  []KeptMember  `json:"held,omitempty"`
	Unfit []UnfitMember `json:"unfit,omitempty"`
}

// KeptMember is a member that its source no longer names: it stays since too few would be left.
type KeptMember struct {
	Service string    `json:"service"`
	Server  string    `json:"server"`
	Since   time.Time `json:"since"`
}

// UnfitMember is a member that can't be a server.
type UnfitMember struct {
	Service string `json:"service"`
	Server  string `json:"server"`
	Why     string `json:"why"`
}

// sources prints a line for each source, and for what is wrong with its members.
func (s *Snapshot) sources(line func(sgr, label, format string, args ...any)) {
	if s.SourcesRecord != "" {
		line(yellow, "record", "who the members of virtual servers are can't be written to the disk: %s\nafter a restart, their sources must answer first", s.SourcesRecord)
	}
	for i := range s.Sources {
		v := &s.Sources[i]
		switch {
		case v.Error != "":
			stay := "; there are no servers of it"
			if v.Servers > 0 {
				stay = fmt.Sprintf("; its servers stay: %d, as it answered %s ago", v.Servers, since(s.At, v.Answered))
				if v.Answered.IsZero() {
					stay = fmt.Sprintf("; its servers stay: %d, as they were before the start", v.Servers)
				}
			}
			line(red, "members", "%s can't be read for %s: %s%s", v.Source, since(s.At, v.Failed), printable(v.Error), stay)
		case v.Answered.IsZero():
			line(yellow, "members", "%s has not answered yet, servers: %d", v.Source, v.Servers)
		default:
			line("", "members", "%s names %d, servers: %d, answered %s ago", v.Source, v.Named, v.Servers, since(s.At, v.Answered))
		}
		if v.Warning != "" && v.Error == "" {
			line(yellow, "members", "%s: %s", v.Source, printable(v.Warning))
		}
		for _, h := range v.Held {
			line(yellow, "held", "%s of %s for %s: %s no longer names it, but too few would be left; lower minimum if that is meant",
				h.Server, h.Service, since(s.At, h.Since), v.Source)
		}
		for _, u := range v.Unfit {
			line(yellow, "unfit", "%s of %s, which %s names: %s", u.Server, u.Service, v.Source, printable(u.Why))
		}
	}
}
