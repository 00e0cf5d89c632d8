//go:build kernel

package pair

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// killedKeepalived is a master that balances. One of its servers is inhibited when it fails, another one is taken out.
func killedKeepalived() (Setup, string) {
	setup := Scenario1(true, 2, "1")
	text := setup.Keepalived()
	text = strings.Replace(text, "real_server 10.0.100.3 80 {\n", "real_server 10.0.100.3 80 {\n    inhibit_on_failure\n", 1)
	text = strings.ReplaceAll(text, "connect_timeout 3", "connect_timeout 30") // the first failure decides, and machines stand still
	return setup, strings.ReplaceAll(text, "delay_loop 3", "delay_loop 1")
}

// TestKernelRestartFromKilledKeepalived: keepalived is killed, and ipvsd starts on its file. No request fails and a held connection goes on;
// nothing is written to the table and to the sync daemons, although the file has servers presumed alive until a check fails; and while ipvsd listens
// for another router no address leaves.
func TestKernelRestartFromKilledKeepalived(t *testing.T) {
	p := lab.NewNATPair(t)
	d := NewDirector(t, p.Director, Keepalived, bin)
	setup, text := killedKeepalived()
	d.WriteText(text)
	p.Web[1].Stop()
	p.Web[2].Stop()
	d.Start()
	WaitActive(t, setup, d)
	const web = "-a -t 192.168.1.202:80 -r "
	lab.WaitFor(t, patience, "the dead servers to be out", func() error {
		table := strings.Join(d.SavedTable(), "\n")
		if !strings.Contains(table, web+"10.0.100.3:80 -m -w 0") || strings.Contains(table, web+"10.0.100.4:80") || strings.Count(table, "-w 1") != 4 {
			return fmt.Errorf("%s", table)
		}
		return nil
	})
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Get(); return err })
	conn := hold(t, p.Client)
	load := lab.StartLoad(func() (string, error) { a, err := p.Get(); return a.Server, err })
	more(t, 50, load)
	before, daemons := d.SavedTable(), d.Run("ipvsadm", "-Ln", "--daemon")
	addresses := d.Host.Start("ip", "-o", "monitor", "address")
	lab.WaitFor(t, patience, "ip to watch", func() error {
		d.Run("ip", "address", "change", "127.0.0.2/8", "dev", "lo", "valid_lft", "10000", "preferred_lft", "10000")
		if addresses.Log() == "" {
			return fmt.Errorf("it has not said a word")
		}
		return nil
	})

	d.Crash()
	writes := ipvsd.NewWatch(t, d.Host, ipvsd.WriteRequests)
	seen := ipvsd.WatchServers(t, d.Host)
	d.Tool = IPVSD
	d.Start()
	for _, name := range []string{"VI_E", "VI_I"} {
		d.Process.WaitLog(patience, "instance="+name+" from=BACKUP to=MASTER")
	}
	WaitActive(t, setup, d)
	more(t, 100, load)
	t.Logf("%d requests", noneFailed(t, "kill -9 of keepalived, and a start of ipvsd", load))
	if err := conn.ask(); err != nil {
		t.Errorf("the connection is lost: %v", err)
	}
	seen.Judge(map[string]string{
		"192.168.1.202:80 10.0.100.2:80": "-m -w 1", "192.168.1.202:80 10.0.100.3:80": "-m -w 0", "192.168.1.202:80 10.0.100.4:80": "gone",
		"192.168.1.200:53 10.0.100.5:53": "-m -w 1", "192.168.1.200:53 10.0.100.6:53": "-m -w 1", "192.168.1.200:53 10.0.100.7:53": "-m -w 1",
	})
	if n := writes.Count(); n > 0 {
		t.Errorf("%d messages changed the table or the sync daemons, which were right", n)
	}
	if after := d.SavedTable(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the table is\n%q, it was\n%q", after, before)
	}
	if now := d.Run("ipvsadm", "-Ln", "--daemon"); now != daemons {
		t.Errorf("the sync daemons are\n%s, they were\n%s", now, daemons)
	}
	for line := range strings.Lines(addresses.Log()) {
		if strings.Contains(line, "Deleted") {
			t.Errorf("an address left: %s", line)
		}
	}
}
