//go:build kernel

package pair

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// haproxyConf is what scenario 1 has HAProxy do on the directors.
const haproxyConf = `
defaults
	timeout connect 5s
	timeout client 30s
	timeout server 30s
frontend http
	bind 192.168.1.200:80
	default_backend http
frontend https
	bind 192.168.1.200:443
	default_backend https
backend http
	server web1 10.0.100.2:80 check
	server web2 10.0.100.3:80 check
	server web3 10.0.100.4:80 check
backend https
	server web1 10.0.100.2:443 check
	server web2 10.0.100.3:443 check
	server web3 10.0.100.4:443 check
listen cookies
	bind 192.168.1.200:8000
	mode http
	cookie SERVER insert indirect
	server web1 10.0.100.2:80 check cookie web1
	server web2 10.0.100.3:80 check cookie web2
	server web3 10.0.100.4:80 check cookie web3
listen statistics
	bind *:7000
	mode http
	stats enable
	stats uri /
	stats auth admin:secret
	stats admin if TRUE
`

// TestKernelScenario1HAProxy: HAProxy lives on the same directors and addresses as IPVS. When it dies, everything goes to the other
// director: at once as a fault, or by a lower priority.
func TestKernelScenario1HAProxy(t *testing.T) {
	p := lab.NewNATPair(t)
	for _, s := range p.Web {
		s.Stop()
		site := lab.NewSite(s.Host, s.Addr.Addr())
		site.Put("index.html", s.Host.Name)
		site.Start()
	}
	var directors [2]*Director
	var haproxies [2]*lab.Server
	setup := Scenario1(true, 2, "1")
	for i, h := range p.Directors {
		h.Sysctl("net.ipv4.ip_nonlocal_bind", "1")
		d := NewDirector(t, h, IPVSD, bin)
		command := []string{"/usr/sbin/haproxy", "-db", "-f", d.Path("haproxy.cfg")}
		if err := os.WriteFile(d.Path("haproxy.cfg"), []byte(haproxyConf), 0o600); err != nil {
			t.Fatal(err)
		}
		haproxies[i] = lab.NewServer(h, netip.MustParseAddrPort("127.0.0.1:7000"), command...)
		haproxies[i].Start()
		// All directors of the lab have the same processes: the parameters tell whose it is.
		d.WriteText(strings.Replace(Scenario1(i == 0, 2, "1").IPVSD(), "[vrrp_instance.VI_E]\n", fmt.Sprintf(`
[vrrp_track_process.haproxy]
process = "%s"
param_match = "exact"

[vrrp_instance.VI_E]
track_process = ["haproxy"]
`, strings.Join(command, " ")), 1))
		d.Start()
		directors[i] = d
	}
	get := func(url string, args ...string) error {
		out, err := p.Client.Output(slices.Concat([]string{"curl", "-sSfk", "--max-time", "5"}, args, []string{url})...)
		if err == nil && !strings.HasPrefix(out, "web") {
			err = errors.New(out)
		}
		return err
	}
	all := func(active int) {
		t.Helper()
		WaitActive(t, setup, directors[active], directors[1-active])
		for _, url := range []string{"http://192.168.1.200/", "https://192.168.1.200/", "http://192.168.1.200:8000/", "http://192.168.1.202/"} {
			lab.WaitFor(t, patience, url, func() error { return get(url) })
		}
		lab.WaitFor(t, patience, "a name", func() error { _, err := p.Query(); return err })
		if out := p.Client.Run("curl", "-sSf", "--max-time", "5", "-u", "admin:secret", "http://192.168.1.200:7000/"); !strings.Contains(out, "web3") {
			t.Errorf("the page of statistics is %q", out)
		}
	}
	all(0)
	haproxies[0].Stop()
	all(1)
	if out, err := directors[0].Ctl("vrrp", "VI_E"); err != nil || !strings.Contains(out, "haproxy") || !strings.Contains(out, "FAULT") {
		t.Errorf("ipvsctl vrrp says %v\n%s", err, out)
	}
	haproxies[0].Start()
	all(0)
}
