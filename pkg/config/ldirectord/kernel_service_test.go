//go:build kernel

package ldirectord_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// probed are services that a host of the lab has at 10.0.100.2, and nobody at 10.0.100.3.
const probed = `checkinterval=5
negotiatetimeout=20
checktimeout=20
quiescent=no
virtual=192.0.2.1:21
	real=10.0.100.2:21 masq
	real=10.0.100.3:21 masq
	request="ready"
	receive="Service is"
virtual=192.0.2.1:25
	real=10.0.100.2:25 masq
	real=10.0.100.3:25 masq
virtual=192.0.2.1:587
	real=10.0.100.2:587 masq
	real=10.0.100.3:587 masq
virtual=192.0.2.1:110
	real=10.0.100.2:110 masq
	real=10.0.100.3:110 masq
	login="{login}"
	passwd="{password}"
virtual=192.0.2.1:143
	real=10.0.100.2:143 masq
	real=10.0.100.3:143 masq
	login="{login}"
	passwd="{password}"
virtual=192.0.2.2:143
	real=10.0.100.2:143 masq 2
	real=10.0.100.3:143 masq 2
virtual=192.0.2.1:389
	real=10.0.100.2:389 masq
	real=10.0.100.3:389 masq
	request="dc=lab,dc=local"
	receive="^dc="
virtual=192.0.2.2:389
	real=10.0.100.2:389 masq 2
	real=10.0.100.3:389 masq 2
	login="cn=lab,dc=lab,dc=local"
	passwd="{password}"
	request="dc=lab,dc=local"
	receive="lab"
virtual=192.0.2.1:53
	real=10.0.100.2:53 masq
	real=10.0.100.3:53 masq
	request="www.lab.local"
	receive="192\.168\.1\.202"
virtual=192.0.2.2:53
	real=10.0.100.2:53 masq 2
	real=10.0.100.3:53 masq 2
	protocol=tcp
	request="www.lab.local"
	receive="202$"
virtual=192.0.2.1:1812
	real=10.0.100.2:1812 masq
	real=10.0.100.3:1812 masq
	protocol=udp
	login="{login}"
	passwd="{password}"
	secret="{secret}"
`

// What ldirectord's checks say of real servers, ipvsd's say, too: while they run, after they have ended, and when they run again.
func TestKernelServicesAsLdirectord(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	bridge := lab.NewBridge(t, "internal", 1500)
	servers, idle := lab.NewHost(t, "servers"), lab.NewHost(t, "idle")
	servers.Connect(bridge, "eth0", "10.0.100.2/24")
	idle.Connect(bridge, "eth0", "10.0.100.3/24")
	w.theirs.Connect(bridge, "eth0", "10.0.100.101/24")
	w.ours.Connect(bridge, "eth0", "10.0.100.102/24")
	at := netip.MustParseAddr("10.0.100.2")
	list := []*lab.Server{
		lab.NewVSFTPD(servers, at), lab.NewPostfix(servers, at), lab.NewDovecot(servers, at), lab.NewSLAPD(servers, at),
		lab.NewBind(servers, at), lab.NewFreeRADIUS(servers, at),
	}
	for _, s := range list {
		s.Start()
	}
	source := strings.NewReplacer("{login}", lab.Login, "{password}", lab.Password, "{secret}", lab.RADIUSSecret).Replace(probed)
	file := filepath.Join(t.TempDir(), "services.cf")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run(file)
	w.settled(t, 2)
	with := w.same(t, "while the servers run")
	if n := strings.Count(with, " -r "); n != strings.Count(probed, "virtual=") {
		t.Errorf("%d servers are up, want one of each service:\n%s", n, with)
	}
	for _, s := range list {
		s.Stop()
	}
	w.settled(t, 2)
	if without := w.same(t, "without servers"); strings.Contains(without, " -r ") {
		t.Errorf("without servers there are some:\n%s", without)
	}
	for _, s := range list {
		s.Start()
	}
	w.settled(t, 2)
	if again := w.same(t, "when the servers run again"); again != with {
		t.Errorf("it is\n%s\nnot\n%s", again, with)
	}
}
