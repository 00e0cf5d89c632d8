package member

import (
	"fmt"
	"time"
)

// Kind is a kind of source.
type Kind uint8

// The kinds.
const (
	DNS       Kind = iota + 1 // addresses of a name
	SRV                       // servers of a service
	Directory                 // files with targets
	Etcd                      // keys below a prefix
	Consul                    // a service of the catalogue
)

var kinds = map[Kind]string{DNS: "dns", SRV: "srv", Directory: "directory", Etcd: "etcd", Consul: "consul"}

func (k Kind) String() string { return kinds[k] }

// Source is where members come from. Sources are compared with ==; virtual servers that name an equal one share its reader.
type Source struct {
	Kind       Kind
	Name       string // name in DNS, path of the directory, prefix of keys, name of the service
	At         string // DNS: address and port of the name server, empty: the system's; etcd: endpoints, with commas; Consul: URL
	IPv4, IPv6 bool   // DNS, SRV: the addresses that are asked for
	Access
}

// Access is how etcd or Consul is told who asks. All are names of files but User.
type Access struct {
	CA, Certificate, Key string // PEM
	User                 string // etcd
	Secret               string // file whose first line is the password or token
}

// String says what people know the source by: "dns web.example.org", "etcd /ipvsd/web/".
func (s Source) String() string { return fmt.Sprintf("%s %s", s.Kind, s.Name) }

// Report is what a source says now.
type Report struct {
	Source  Source
	Members []Member // all, if Err is empty
	Err     string   // why there is no answer; what was known before goes on
	Warning string   // what is wrong with a part of the answer; of that, what was known before is in Members
}

// State is what is known of a source.
type State struct {
	Members  []Member
	Answered time.Time // when the last answer came; zero: none did
	Err      string    // why there is none now
	Warning  string
	Failed   time.Time // since when; zero: it answers
}

// Take takes a report. It says whether there is news for pools: an answer that differs, or the first one.
func (s State) Take(r Report, now time.Time) (_ State, news bool) {
	if r.Err != "" {
		s.Err = r.Err
		if s.Failed.IsZero() {
			s.Failed = now
		}
		return s, false
	}
	news = s.Answered.IsZero() || len(s.Members) != len(r.Members)
	for i := 0; !news && i < len(s.Members); i++ {
		news = !s.Members[i].Equal(&r.Members[i])
	}
	return State{Members: r.Members, Answered: now, Warning: r.Warning}, news
}
