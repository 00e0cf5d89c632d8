package config

import (
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// What servers say of probes that fail by chance is not about sessions; all else is.
func TestSettingsOfSessions(t *testing.T) {
	const session = "\n[bfd_instance.S]\nneighbor_ip = \"192.0.2.1\"\n"
	usual := health.Policy{DelayLoop: 5 * time.Second, DelayBeforeRetry: 500 * time.Millisecond, Alpha: true}
	for lines, change := range map[string]func(*health.Policy){
		`BFD_CHECK = { name = "S" }`:                                                   func(*health.Policy) {},
		"retry = 3\nconnect_timeout = 9\nBFD_CHECK = { name = \"S\" }":                 func(*health.Policy) {},
		"fall = 3\nBFD_CHECK = { name = \"S\" }":                                       func(*health.Policy) {},
		"fall = 3\nBFD_CHECK = { name = \"S\", retry = 2 }":                            func(p *health.Policy) { p.Retry = 2 },
		"retry = 3\nBFD_CHECK = { name = \"S\", fall = 2 }":                            func(p *health.Policy) { p.Retry = 1 },
		"rise = 2\nalpha = false\nBFD_CHECK = { name = \"S\" }":                        func(p *health.Policy) { p.Rise, p.Alpha = 2, false },
		"delay_loop = 1\nBFD_CHECK = { name = \"S\", delay_before_retry = \"200ms\" }": func(p *health.Policy) { p.DelayLoop, p.DelayBeforeRetry = time.Second, 200*time.Millisecond },
	} {
		want := usual
		change(&want)
		k := checksOf(&oneServer(t, lines+session).VirtualServers[0].RealServers[0])
		if len(k) != 1 || k[0].Policy != want || k[0].Timeout != 3*time.Second || k[0].Spec != (health.BFD{Session: "S"}) || k[0].Target.String() != "10.0.100.2:0" {
			t.Errorf("%s: %+v", lines, k)
		}
	}
}

// A session is part of what all virtual servers have in common: one that leaves the file is missed.
func TestLoaderSeesSessions(t *testing.T) {
	text := "[[virtual_server]]\nfwmark = 1\nreal_servers = [\"10.0.0.1\"]\nBFD_CHECK = { name = \"A\" }\n[bfd_instance.A]\nneighbor_ip = \"192.0.2.1\"\n"
	var l Loader
	if c, found := l.Load("t.toml", text); c == nil || len(c.VRRP.BFD) != 1 {
		t.Fatal(found)
	}
	c, found := l.Load("t.toml", strings.Replace(text, "bfd_instance.A", "bfd_instance.B", 1))
	if c != nil || len(found) != 1 || found[0].Line != 4 || found[0].Message != `there is no bfd_instance "A"` {
		t.Errorf("%v", found)
	}
}
