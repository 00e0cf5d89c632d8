//go:build kernel

package pair

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// become stops a director's daemon and starts another tool on the same file.
func (d *Director) become(tool Tool) {
	d.tb.Helper()
	d.Stop()
	d.Tool = tool
	d.Start()
}

// startLeaving starts keepalived with options for what it leaves behind.
func (d *Director) startLeaving(options ...string) {
	d.tb.Helper()
	args := append([]string{"keepalived", "--dont-fork", "--log-console", "--log-detail", "--use-file", d.Path("conf"),
		"--pid", d.Path("pid"), "--vrrp_pid", d.Path("vrrp.pid"), "--checkers_pid", d.Path("check.pid")}, options...)
	d.Process = d.Host.Start(args...)
	d.Process.WaitLog(patience, "Startup complete")
}

// held is a connection of a client that asks again and again.
type held struct {
	net.Conn
	r *bufio.Reader
}

func hold(t *testing.T, c *lab.Host) held {
	t.Helper()
	conn, err := c.DialContext(t.Context(), "tcp", lab.WebVIP.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	h := held{conn, bufio.NewReader(conn)}
	if err := h.ask(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h held) ask() error {
	if _, err := fmt.Fprintf(h, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(h.r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// TestKernelAdoption: a director that balances changes from keepalived to ipvsd, on the same file, and nothing is lost: no request of
// clients that never pause, and no connection. What keepalived leaves with -I is what ipvsd goes on from.
func TestKernelAdoption(t *testing.T) {
	c := lab.NewNATCluster(t)
	d := NewDirector(t, c.Director, Keepalived, bin)
	d.WriteText(Setup{Services: true}.Keepalived())
	d.startLeaving("-I")
	lab.WaitFor(t, patience, "an answer", func() error { _, err := c.Get(); return err })
	lab.WaitFor(t, patience, "an answer", func() error { _, err := c.Query(); return err })
	conn := hold(t, c.Client)
	load := []*lab.Load{
		lab.StartLoad(func() (string, error) { a, err := c.Get(); return a.Server, err }),
		lab.StartLoad(func() (string, error) { return c.Query() }),
	}
	more(t, 50, load...)
	before := d.SavedTable()
	d.become(IPVSD)
	more(t, 50, load...)
	lab.WaitFor(t, patience, "ipvsd to answer", func() error {
		out, err := d.Ctl("list")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	d.Reload()
	more(t, 50, load...)
	t.Logf("%d requests", noneFailed(t, "adoption", load...))
	if err := conn.ask(); err != nil {
		t.Errorf("the connection is lost: %v", err)
	}
	if after := d.SavedTable(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the table is\n%q, it was\n%q", after, before)
	}
}

// TestKernelRollingMigration: a pair changes from keepalived to ipvsd, the standby first, each on its own file. What fails is what
// keepalived's own clean stop on the master costs; nothing before it, and nothing after.
func TestKernelRollingMigration(t *testing.T) {
	p := lab.NewNATPair(t)
	a, b := NewDirector(t, p.Directors[0], Keepalived, bin), NewDirector(t, p.Directors[1], Keepalived, bin)
	setup := Scenario1(true, 2, "1")
	a.Write(setup)
	b.Write(Scenario1(false, 2, "1"))
	a.Start()
	b.Start()
	WaitActive(t, setup, a, b)
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Get(); return err })
	load := lab.StartLoad(func() (string, error) { answer, err := p.Get(); return answer.Server, err })
	more(t, 50, load)

	b.become(IPVSD)
	lab.WaitFor(t, patience, "the standby to hear the master", func() error {
		out, err := b.Ctl("vrrp", "VI_E")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	WaitActive(t, setup, a, b)
	more(t, 50, load)
	if n, err := load.FailedAfterMark(); n > 0 {
		t.Errorf("the standby's change: %d requests failed: %v", n, err)
	}

	a.Stop() // the one failover
	WaitActive(t, setup, b, a)
	lab.WaitFor(t, patience, "an answer", func() error { _, err := p.Get(); return err })
	load.Mark()
	a.Tool = IPVSD
	a.Start()
	WaitActive(t, setup, a, b)
	lab.WaitFor(t, patience, "more requests", func() error { return load.After(100) })
	if n, err := load.FailedAfterMark(); n > 0 {
		t.Errorf("the master's return: %d requests failed: %v", n, err)
	}
	t.Logf("in all: %+v", load.Stop())
}
