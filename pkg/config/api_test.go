package config

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What is written of the API and of peers is read as the same again.
func TestAPI(t *testing.T) {
	c := accept(t, web+`
[global_defs.api]
listen = ["10.0.0.1:9443", "[::1]:9443"]
certificate = "/a.pem"
key = "/a.key"
client_ca = "/ca.pem"
[[global_defs.api.token]]
name = "dashboard"
role = "READ"
file = "/d"
[[global_defs.api.certificate_role]]
subject = "lb2"
role = "operate"
[global_defs.peers."lb 3"]
address = "lb3.example.org:9443"
token_file = "/t"
server_name = "lb3"
ca = "/p.pem"
[global_defs.peers.LB2]
address = "[2001:db8::2]:9443"
certificate = "/c.pem"
key = "/c.key"
`)
	addr := netip.MustParseAddrPort
	want := API{
		Listen: []netip.AddrPort{addr("10.0.0.1:9443"), addr("[::1]:9443")}, Certificate: "/a.pem", Key: "/a.key", ClientCA: "/ca.pem",
		Tokens: []Token{{"dashboard", RoleRead, "/d"}}, CertificateRoles: []CertificateRole{{"lb2", RoleOperate}},
	}
	peers := []Peer{
		{Name: "LB2", Address: "[2001:db8::2]:9443", Certificate: "/c.pem", Key: "/c.key"},
		{Name: "lb 3", Address: "lb3.example.org:9443", ServerName: "lb3", CA: "/p.pem", TokenFile: "/t"},
	}
	again := accept(t, string(Format(c)))
	for _, c := range []*Config{c, again} {
		if diff := cmp.Diff(want, c.GlobalDefs.API, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("API (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(peers, c.GlobalDefs.Peers); diff != "" {
			t.Errorf("peers (-want +got):\n%s", diff)
		}
		if c.GlobalDefs.API.Open() {
			t.Error("who comes needs nothing to show")
		}
	}
}

// On loopback nobody has to show anything, and nothing else is open.
func TestOpenAPI(t *testing.T) {
	for text, open := range map[string]bool{
		`listen = ["127.0.0.1:9443", "[::1]:9443"]`:                                                            true,
		"listen = \"127.0.0.1:9443\"\n[[global_defs.api.token]]\nname = \"a\"\nrole = \"read\"\nfile = \"/a\"": false,
	} {
		if c := accept(t, web+"[global_defs.api]\n"+text); c.GlobalDefs.API.Open() != open {
			t.Errorf("%s: open is %t", text, !open)
		}
	}
	c := accept(t, web)
	if diff := cmp.Diff(API{}, c.GlobalDefs.API, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	accept(t, web+"[global_defs.api]\n[[global_defs.api.token]]\nname = \"a\"\nrole = \"read\"\nfile = \"/a\"",
		"6:1 warning: there is no API by TCP: nothing is listened at")
}
