package daemon

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// A reload changes who may come by TCP, and warns of files that aren't there; one that is refused changes nothing.
func TestAccessFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		var served []control.Access
		h.serve = func(a control.Access) { served = append(served, a) }
		const api = `
[global_defs.api]
listen = "192.0.2.9:9443"
certificate = "/nowhere/cert"
key = "/nowhere/key"
client_ca = "/nowhere/ca"
[[global_defs.api.certificate_role]]
subject = "lb2"
role = "operate"
[[global_defs.api.token]]
name = "dashboard"
role = "read"
file = "/nowhere/token"
[global_defs.wishes]
etcd = ["https://10.0.0.5:2379"]
ca = "/nowhere/etcd-ca"
user = "lb1"
password_file = "/nowhere/etcd-password"
`
		h.write(web + api)
		a := h.reloaded()
		for _, file := range []string{"/nowhere/cert", "/nowhere/key", "/nowhere/ca", "/nowhere/token", "/nowhere/etcd-ca", "/nowhere/etcd-password"} {
			if !strings.Contains(a.Warnings, file+": no such file") {
				t.Errorf("no warning about %s: %s", file, a.Warnings)
			}
		}
		h.write(web + strings.Replace(api, `certificate = "/nowhere/cert"`, "", 1))
		if a := h.reloaded(); a.Rejected == "" {
			t.Error("a key alone is taken")
		}
		if len(served) != 1 {
			t.Fatalf("%d times: %+v", len(served), served)
		}
		if s := served[0]; len(s.Listen) != 1 || s.Listen[0].String() != "192.0.2.9:9443" || s.Certificate != "/nowhere/cert" || s.Key != "/nowhere/key" || s.ClientCA != "/nowhere/ca" ||
			s.Certificates[0] != (control.CertificateRole{Subject: "lb2", Role: control.Operate}) || s.Tokens[0] != (control.Token{Name: "dashboard", Role: control.Read, File: "/nowhere/token"}) {
			t.Errorf("%+v", s)
		}
		h.write(web)
		if h.reloaded(); len(served) != 2 || len(served[1].Listen) != 0 {
			t.Errorf("%+v", served)
		}
	})
}
