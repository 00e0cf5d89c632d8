//go:build kernel

package pair

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// acquainted has two directors know each other: by an API at eth1, with a certificate that both trust and a secret that both have.
func acquainted(t *testing.T, directors ...*Director) {
	t.Helper()
	addresses := []string{"10.0.100.1", "10.0.100.50"}
	dir := directors[0].dir
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.ParseIP(addresses[0]), net.ParseIP(addresses[1])},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cert.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		"key.pem":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"secret":   "0123456789abcdef0123456789abcdef\n",
	} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range directors {
		d.WriteText(Scenario1(i == 0, 2, "1").IPVSD() + fmt.Sprintf(`
[global_defs.api]
listen = "%[2]s:9443"
certificate = "%[1]s/cert.pem"
key = "%[1]s/key.pem"
[[global_defs.api.token]]
name = "director"
role = "operate"
file = "%[1]s/secret"
[global_defs.peers.other]
address = "%[3]s:9443"
ca = "%[1]s/cert.pem"
token_file = "%[1]s/secret"
`, dir, addresses[i], addresses[1-i]))
	}
}

// row is a server of the web service as ipvsadm shows it: "Masq 0 1 3", "gone".
func (d *Director) row(server string) string {
	for _, r := range d.Table() {
		if r.Service == "TCP "+lab.WebVIP.String() && r.Server == server {
			return strings.Join(r.Fields, " ")
		}
	}
	return "gone"
}

// Scenario 23 of the peers: a server that was drained on the active director is drained on the other one, so that it gets no client after a
// failover either, and no request fails. It is drained, for the same reason and as long, after that one was restarted, and when it has lost
// its disk; and its end reaches both.
func TestKernelScenario23Wishes(t *testing.T) {
	t.Parallel()
	p := lab.NewNATPair(t)
	a, b := NewDirector(t, p.Directors[0], IPVSD, bin), NewDirector(t, p.Directors[1], IPVSD, bin)
	setup := Scenario1(true, 2, "1")
	acquainted(t, a, b)
	a.Start()
	b.Start()
	WaitActive(t, setup, a, b)
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Get(); return err })
	ctl := func(d *Director, args ...string) string {
		t.Helper()
		out, err := d.Ctl(args...)
		if err != nil {
			t.Fatalf("ipvsctl %s on %s: %v\n%s", args[0], d.Name, err, out)
		}
		return out
	}
	first := p.Web[0].Addr.String()
	drained := func(when string, directors ...*Director) {
		t.Helper()
		for _, d := range directors {
			if row := d.row(first); !strings.HasPrefix(row, "Masq 0 ") {
				t.Errorf("%s: on %s the server is %q", when, d.Name, row)
			}
			if out := ctl(d, "drains"); !strings.Contains(out, "new kernel, over in 2h0m0s") && !strings.Contains(out, "new kernel, over in 1h59m") || !strings.Contains(out, "director other has the same wishes") {
				t.Errorf("%s: %s knows\n%s", when, d.Name, out)
			}
		}
	}
	lab.WaitFor(t, patience, "the server on both", func() error {
		if row := b.row(first); !strings.HasPrefix(row, "Masq 1 ") {
			return fmt.Errorf("on %s it is %q", b.Name, row)
		}
		return nil
	})

	load := lab.StartLoad(func() (string, error) { answer, err := p.Get(); return answer.Server, err })
	more(t, 20, load)
	if out := ctl(a, "drain", first, "--reason", "new kernel", "--expires", "2h"); !strings.Contains(out, "other knows of it, too") {
		t.Errorf("%s", out)
	}
	drained("at once", a, b)
	more(t, 5, load) // those that were being opened
	seen := lab.NewCapture(p.Web[0].Host, "eth0", "dst port 80 and src net 192.168.1.0/24 and tcp[tcpflags] & tcp-syn != 0")
	more(t, 20, load)
	switchover(t, a)
	WaitActive(t, setup, b, a)
	more(t, 20, load)
	drained("after the failover", a, b)
	switchover(t, b)
	WaitActive(t, setup, a, b)
	b.Stop()
	b.Start()
	drained("after a restart", b)
	b.Crash()
	if err := os.RemoveAll(b.Path("state")); err != nil {
		t.Fatal(err)
	}
	b.Start()
	drained("without a disk", b)
	more(t, 20, load)
	noneFailed(t, "while the server drains", load)
	if syns := seen.Stop(); len(syns) > 0 {
		t.Errorf("the server drains, and has %d new connections: %s", len(syns), syns[0])
	}

	if out := ctl(b, "undrain", first); !strings.Contains(out, "other knows of it, too") {
		t.Errorf("%s", out)
	}
	for _, d := range []*Director{a, b} {
		if row := d.row(first); !strings.HasPrefix(row, "Masq 1 ") {
			t.Errorf("after that the server is %q on %s", row, d.Name)
		}
	}
}
