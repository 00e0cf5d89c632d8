package health

import "time"

// Spec is what a type of check needs to know beyond what all have. Specs are comparable values; the one that a Check has
// decides which probe it is, its Type is only its name.
type Spec interface{ spec() }

// TCP passes if the server accepts a connection.
type TCP struct{}

// Ping passes if the server answers an ICMP echo request. The target's port means nothing.
type Ping struct{}

// TLS is how a connection is encrypted. The zero value is not at all.
type TLS struct {
	Mode   TLSMode
	SNI    string        // server name that is asked for; empty: none
	Verify bool          // the certificate must be valid, be signed by CA, and be for Name
	Name   string        // empty: SNI, or without one the target's address
	CA     string        // file of certificates, PEM; empty: the system's
	Cert   string        // file with a certificate of ours, PEM; empty: none
	Key    string        // file with its key
	Expiry time.Duration // warn when the certificate is valid no longer than this; 0: never
}

// TLSMode is when encryption starts.
type TLSMode uint8

// The modes of TLS.
const (
	Plain    TLSMode = iota
	Implicit         // from the first byte, as in HTTPS
	StartTLS         // after the protocol's command for it
)

// Secret is a password or the like. It prints as stars.
type Secret struct {
	Text string
	File string // its first line is the secret; read at each probe, so that it may change
}

// String returns stars, "" for the zero Secret.
func (s Secret) String() string {
	if s == (Secret{}) {
		return ""
	}
	return "***"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// HTTP passes if all URLs are answered as they should be: HTTP_GET and SSL_GET.
type HTTP struct {
	TLS      TLS
	Protocol string // "1.0", "1.0C" (with Connection: close), "1.1", "2"
	URLs     List[URL]
	Follow   bool   // redirects that lead to this very server; one that leads elsewhere fails. False: a redirect is an answer
	Weight   string // header of the answer with the weight, as in Agent; "-": the body has it; empty: neither
}

// URL is a request, and what the answer must be.
type URL struct {
	Method       string // GET, HEAD, POST, OPTIONS
	Path         string // with the query. One that begins with "http://" goes to the target as to a proxy
	VirtualHost  string // the Host header; empty: the target's address and port
	Headers      List[Header]
	Body         string
	Status       StatusSet
	Digest       string // MD5 of the body, 32 hexadecimal digits in lower case; empty: any
	Regex        Regex  // of the body
	JSON         List[Assertion]
	TLSCompliant bool // a TLS connection that ends without close_notify fails
}

// Header is a line of a request's header.
type Header struct{ Name, Value string }

// Assertion is what a value in a JSON document must be.
type Assertion struct {
	Path  string // names and indexes with dots between them: "checks.0.status"
	Value string // the value as JSON; a string without its quotes. Empty: it must be there
}

// Regex is what a text must match, or must not. The zero value matches anything.
type Regex struct {
	Pattern   string
	Options   List[string] // keepalived's names, in their order there
	NoMatch   bool         // passes if the text does not match
	MinOffset int          // matches that begin before it don't count, in bytes
	MaxOffset int          // nor those that begin after it; 0: no limit
}

// SMTP passes if the server greets, and answers HELO or EHLO: SMTP_CHECK.
type SMTP struct {
	HeloName string
	TLS      TLS
}

// DNS passes if the server answers a question without an error: DNS_CHECK.
type DNS struct {
	Type   string // A, NS, CNAME, SOA, MX, TXT, AAAA, PTR, RRSIG, DNSKEY
	Name   string // with or without the last dot; "." is the root
	TCP    bool   // asks over TCP instead of UDP
	Expect Regex  // one of the answers, as text, must match, or with NoMatch all; the zero value: none is needed
}

// UDP passes unless the server's host refuses a datagram, or if it answers one: UDP_CHECK.
type UDP struct {
	Payload string // bytes; empty: keepalived's text
	Require bool   // silence is a failure
	Reply   string // what an answer must begin with, bytes; empty: anything
	Mask    string // bits of Reply that count, as many bytes
	Min     int    // bytes that an answer must have, and may have: only if there is a Reply, as in keepalived 2.2.7
	Max     int
}

// File reads a number from a file: FILE_CHECK. Without a weight, which is keepalived's weight 0, the server is up as long as it
// is 0; with one, the number times the weight is added to the server's.
type File struct {
	Path    string // a file that isn't there counts as 0
	Weight  int32
	Weighed bool
	Reverse bool // the other way round: up unless it is 0, taken away instead of added
}

// Misc runs a command: MISC_CHECK. It passes with exit status 0.
type Misc struct {
	Argv        List[string] // program, which is an absolute path, and arguments
	User, Group string       // as in script.Command
	Dynamic     bool         // exit status 2 to 255 passes, and the weight is 2 less
	Plugin      bool         // one process that is asked again and again, as package script says
}

// BFD passes while a BFD session is up: BFD_CHECK. The daemon knows the sessions, by the names of their bfd_instance.
type BFD struct{ Session string }

// FTP passes if the server logs us in, and has a file if one is named.
type FTP struct {
	Login    string // empty: anonymous
	Password Secret
	File     string // fetched, 1 MiB at most; empty: none
	Expect   Regex  // of the file's content
	TLS      TLS
}

// IMAP passes if the server greets, and logs us in if there is a login.
type IMAP struct {
	Login    string
	Password Secret
	TLS      TLS
}

// POP3 passes if the server greets, and logs us in if there is a login.
type POP3 struct {
	Login    string
	Password Secret
	TLS      TLS
}

// LDAP passes if the server lets us bind and finds exactly one entry.
type LDAP struct {
	BindDN   string // empty: anonymous
	Password Secret
	BaseDN   string // empty: the server's own entry, the root DSE
	Expect   Regex  // of the DN that is found
	TLS      TLS
}

// NNTP passes if the server's greeting begins with a 2.
type NNTP struct{ TLS TLS }

// MySQL passes if the server logs us in and a query, if there is one, has a row. The account's method must be mysql_native_password
// or caching_sha2_password.
type MySQL struct {
	Login    string
	Password Secret
	Database string
	Query    string // empty: a ping
	TLS      TLS
}

// PgSQL passes if the server logs us in and a query, if there is one, has a row.
type PgSQL struct {
	Login    string
	Password Secret
	Database string
	Query    string // empty: an empty query
	TLS      TLS
}

// RADIUS passes if the server accepts a user.
type RADIUS struct {
	Login    string
	Password Secret
	Secret   Secret // shared with the server
}

// SIP passes if the server answers OPTIONS with 200.
type SIP struct {
	User string // in To and From
	TCP  bool   // instead of UDP
	TLS  TLS    // with TCP
}

// SimpleTCP passes if the server answers a text with another: ldirectord's simpletcp. The answer is looked at as a whole after each
// piece that comes, up to 16 KiB. As with ldirectord the server is told that nothing more comes; over UDP and in TLS it isn't.
type SimpleTCP struct {
	Send   string // empty: nothing
	Expect Regex  // the zero value: any first byte
	UDP    bool
	TLS    TLS
}

// GRPC passes if the server's grpc.health.v1.Health says SERVING.
type GRPC struct {
	Service   string // empty: the server as a whole
	Authority string // empty: the target
	TLS       TLS
}

// Redis passes if the server answers PING, after a login if there is one.
type Redis struct {
	Login    string
	Password Secret
	Role     string // "master" or "slave", as ROLE must say; empty: either
	TLS      TLS
}

// Agent asks HAProxy's agent-check for the server's state and weight. It fails if the agent says down, failed or stopped, or can't be
// asked; "drain" and "maint" pass with the weight 0, "up", "ready" and "N%" with the configured one or so much of it.
type Agent struct {
	Send string // before it listens; empty: nothing
}

func (TCP) spec()       {}
func (Ping) spec()      {}
func (HTTP) spec()      {}
func (SMTP) spec()      {}
func (DNS) spec()       {}
func (UDP) spec()       {}
func (File) spec()      {}
func (Misc) spec()      {}
func (BFD) spec()       {}
func (FTP) spec()       {}
func (IMAP) spec()      {}
func (POP3) spec()      {}
func (LDAP) spec()      {}
func (NNTP) spec()      {}
func (MySQL) spec()     {}
func (PgSQL) spec()     {}
func (RADIUS) spec()    {}
func (SIP) spec()       {}
func (SimpleTCP) spec() {}
func (GRPC) spec()      {}
func (Redis) spec()     {}
func (Agent) spec()     {}
