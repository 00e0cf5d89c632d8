package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// API is who may ask and tell the daemon by TCP. The control socket is there whatever it says.
type API struct {
	Listen           []netip.AddrPort // none: nowhere
	Certificate, Key string           // files; empty: without TLS, which only loopback addresses may
	ClientCA         string           // file of certificates that sign those of clients; empty: clients have none
	Tokens           []Token
	CertificateRoles []CertificateRole
}

// Open says whether who comes needs nothing to show. All that listens is on loopback then, and such clients may only read.
func (a *API) Open() bool { return a.ClientCA == "" && len(a.Tokens) == 0 }

// Token is a secret that clients show.
type Token struct {
	Name string // of who has it
	Role string // one of the Role words
	File string // with the secret in its first line
}

// CertificateRole is what clients may that show a certificate.
type CertificateRole struct {
	Subject string // common name in it
	Role    string // one of the Role words
}

// Roles of clients.
const (
	RoleRead    = "read"    // sees everything
	RoleOperate = "operate" // changes things, too
)

// Peer is another director, and how its API is reached.
type Peer struct {
	Name             string
	Address          string // HOST:PORT
	ServerName       string // in its certificate; empty: HOST
	CA               string // file of certificates that are trusted; empty: the system's
	Certificate, Key string // files, of what is shown to it; empty: nothing
	TokenFile        string // with the secret for it in its first line; empty: none
}

// peerAddress is a host with a port.
var peerAddress = kind{words: `a host with a port, such as "10.0.0.2:9443" or "lb2.example.org:9443"`, read: func(v any) (any, *wrong) {
	s, _ := v.(string)
	if _, err := netip.ParseAddrPort(s); err != nil && (strings.Count(s, ":") != 1 || strings.HasSuffix(s, ":")) {
		return nil, &wrong{}
	}
	return serverAndPort(s)
}}

// api resolves the table api; nil: there is none.
func (r *report) api(b *block, metrics netip.AddrPort) (a API) {
	if b == nil {
		return a
	}
	seen := map[netip.AddrPort]bool{metrics: true}
	for at, v := range items[netip.AddrPort](b, "listen") {
		if seen[at] {
			r.fail(v.at, "each address and port can be listened at once, by the API or for metrics", "%s is listened at already", at)
		}
		seen[at] = true
		a.Listen = append(a.Listen, at)
	}
	a.Certificate, a.Key = r.keyPair(b)
	a.ClientCA = given[string]("client_ca", b)
	named := make(map[string]*block)
	for _, part := range b.parts {
		role := given[string]("role", part)
		r.needs(part, "role", RoleRead)
		who := "subject"
		if part.in == inToken {
			who = "name"
			r.needs(part, "file", "/etc/ipvsd/api.token")
			a.Tokens = append(a.Tokens, Token{given[string]("name", part), role, given[string]("file", part)})
		} else {
			a.CertificateRoles = append(a.CertificateRoles, CertificateRole{given[string]("subject", part), role})
		}
		r.needs(part, who, "lb2")
		if name := given[string](who, part); name != "" {
			if first := named[who+name]; first != nil {
				r.fail(part.value(who).at, r.firstAt(first.at()), "there is a %s with the %s %q already", part.name, who, name)
			} else {
				named[who+name] = part
			}
		}
	}
	r.guarded(b, &a)
	return a
}

// needs reports that a block lacks a keyword.
func (r *report) needs(b *block, name, example string) {
	if b.lacks(name) {
		r.fail(b.at(), fmt.Sprintf("write %s = %q", name, example), "%s has no %s", b.in, name)
	}
}

// keyPair returns the files of a certificate and of its key, and reports that one is there without the other.
func (r *report) keyPair(b *block) (certificate, key string) {
	c, k := b.value("certificate"), b.value("key")
	for _, v := range []*value{c, k} {
		if (c == nil) != (k == nil) && v != nil {
			r.fail(v.key, "write both certificate and key; they may be one file", "%s is of no use alone", v.keyword.name)
		}
	}
	return given[string]("certificate", b), given[string]("key", b)
}

// guarded reports listeners that would let in whoever comes, or secrets that others could read on their way.
func (r *report) guarded(b *block, a *API) {
	secret, known := !b.lacks("certificate", "key"), !b.lacks("client_ca") || len(a.Tokens) > 0
	for at, v := range items[netip.AddrPort](b, "listen") {
		switch {
		case at.Addr().IsLoopback():
		case !secret:
			r.fail(v.at, "add certificate and key, or listen at 127.0.0.1 or [::1]",
				"%s would be served without TLS: others could read and change what goes over the network", at)
		case !known:
			r.fail(v.at, "add client_ca or a [[global_defs.api.token]], or listen at 127.0.0.1 or [::1]",
				"%s would be served to everybody: nobody has to show who they are", at)
		}
	}
	roles := slices.IndexFunc(b.parts, func(p *block) bool { return p.in == inCertificateRole })
	switch ca := b.value("client_ca"); {
	case ca != nil && !secret:
		r.fail(ca.key, "add certificate and key", "client_ca needs TLS: clients show their certificates in it")
	case ca != nil && roles < 0:
		r.fail(ca.key, `add [[global_defs.api.certificate_role]] with subject = "lb2" and role = "read"`, "no client may do anything with a certificate: there is no certificate_role")
	case b.lacks("client_ca") && roles >= 0:
		r.fail(b.parts[roles].at(), "add client_ca", "certificate_role needs a client_ca, which says whose certificates are genuine")
	}
	if b.lacks("listen") && (secret || known) {
		r.warn(b.at(), `write listen = ["10.0.0.1:9443"]`, "there is no API by TCP: nothing is listened at")
	}
}

// wishes resolves the etcd where directors meet.
func (r *report) wishes(b *block) member.Source {
	if b == nil {
		return member.Source{}
	}
	r.needs(b, "etcd", "http://10.0.0.5:2379")
	s := r.etcd(b, wishesPrefix)
	if s.At == "" {
		return member.Source{}
	}
	return s
}

// peers resolves the other directors.
func (r *report) peers(blocks []*block) (list []Peer) {
	for _, b := range blocks {
		p := Peer{Name: b.called(), Address: given[string]("address", b), ServerName: given[string]("server_name", b),
			CA: given[string]("ca", b), TokenFile: given[string]("token_file", b)}
		p.Certificate, p.Key = r.keyPair(b)
		r.needs(b, "address", "10.0.0.2:9443")
		for _, other := range list {
			if other.Address == p.Address && p.Address != "" {
				r.fail(b.value("address").at, "a director has one name", "%s has that address, too", other.Name)
			}
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
