package vrrp

// Object is something outside of the protocol that virtual routers depend on.
type Object struct {
	Kind ObjectKind
	Name string // of the interface, script, file, process, BFD session, virtual server; or the route or address
}

// ObjectKind is what kind of object is tracked.
type ObjectKind uint8

// All that can be tracked.
const (
	TrackInterface ObjectKind = iota // its link is up
	TrackScript                      // vrrp_script: it exits with 0
	TrackFile                        // Value is the number in it
	TrackProcess                     // as many run as should
	TrackBFD                         // the session is up
	TrackRoute                       // the route is there, or the gateway answers
	TrackService                     // the virtual server has its quorum
	TrackAddress                     // the address is on this host: sources of adverts, static addresses
	TrackChecks                      // the virtual servers were checked once; without a name
	kinds
)

// String returns the word of the configuration.
func (k ObjectKind) String() string {
	return [...]string{"interface", "script", "file", "process", "bfd", "route", "virtual_server", "address", "checks"}[k]
}

// Track is an instance's or a sync group's dependence on an object.
type Track struct {
	Object
	Weight  int  // -254 to 254; 0: its failure is a fault
	Reverse bool // what it adds has the opposite sign; with weight 0 up and down change places
}

// Reading is what is known of an object.
type Reading struct {
	Known  bool   // it has been looked at; without, it adds nothing, and with weight 0, or of a process or file, the instance waits
	Up     bool   // all kinds but files
	Value  int    // of a file
	Reason string // why it is not up, for people; may be empty
}

// KindNamed returns the kind that a word of the configuration stands for.
func KindNamed(word string) (kind ObjectKind, ok bool) {
	for kind < kinds && kind.String() != word {
		kind++
	}
	return kind, kind < kinds
}
