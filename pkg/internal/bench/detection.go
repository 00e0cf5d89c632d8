package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	moby "github.com/moby/ipvs"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// watchful is how servers are checked while one of them dies and returns.
type watchful struct {
	name     string
	servers  []int
	interval time.Duration // the moment of death is anywhere within it
	words    []string      // keepalived's, of the virtual server
	more     []string      // lines that only ipvsd knows
	http     bool          // asks for the page of scenario 2 instead of connecting
	cut      bool          // the server loses its network instead of its program
	only     string        // the one contender; empty: both
}

const second = time.Second

// watchfuls are the rows of the table. What is scenario 2 in scenarios.md has checkinterval 2 and checktimeout 10 there, a page that is
// looked for, one failure that is enough, and servers that lose their weight.
func watchfuls() []watchful {
	thesis := []string{"delay_loop 3", "connect_timeout 3"}
	ldirectord := []string{"delay_loop 2", "connect_timeout 10", "inhibit_on_failure", "retry 0"}
	return []watchful{
		{name: "defaults: delay_loop 5", servers: []int{1, 1000}, interval: 5 * second, only: "ipvsd"},
		{name: "delay_loop 3", servers: []int{1, 1000}, interval: 3 * second, words: thesis},
		{name: "delay_loop 3, fast_interval 0.2", servers: []int{1}, interval: 3 * second, words: thesis,
			more: []string{"fast_interval = 0.2"}, only: "ipvsd"},
		{name: "scenario 2, crash", servers: []int{2}, interval: 2 * second, words: ldirectord, http: true},
		{name: "scenario 2, network", servers: []int{2}, interval: 2 * second, words: ldirectord, http: true, cut: true},
		{name: "delay_loop 0.1", servers: []int{1, 10}, interval: second / 10,
			words: []string{"delay_loop 0.1", "delay_before_retry 0.1", "connect_timeout 1"}},
		{name: "delay_loop 0.1, nothing else", servers: []int{10}, interval: second / 10, words: []string{"delay_loop 0.1"}, only: "ipvsd"},
		{name: "delay_loop 0.1, fast_interval 0.02", servers: []int{10}, interval: second / 10,
			words: []string{"delay_loop 0.1", "connect_timeout 1"}, more: []string{"fast_interval = 0.02"}, only: "ipvsd"},
	}
}

func measureDetection(r *run) {
	dir := r.tempDir()
	all := watchfuls()
	if r.quick {
		all = slices.DeleteFunc(all, func(w watchful) bool { return w.name != "delay_loop 0.1" && w.name != "scenario 2, crash" })
	}
	r.turns(func(n int) {
		for _, w := range all {
			for _, servers := range w.servers {
				for _, c := range inTurn(n, w.contenders(r.bin, dir, servers)) {
					r.Within(func() { w.measure(r, c, servers) })
				}
			}
		}
	})
}

// contenders are those that can be told to watch like this.
func (w watchful) contenders(bin, dir string, servers int) []contender {
	list := []contender{watchfulIPVSD(bin, dir, w, servers), watchfulKeepalived(dir, w, servers)}
	if w.http {
		list = append(list, watchfulLdirectord(dir, servers))
	}
	return slices.DeleteFunc(list, func(c contender) bool { return w.only != "" && w.only != c.name })
}

// noticed returns the cells for the time until it was gone, the time until it was back, and the failed requests.
func (w watchful) noticed(r *run, contender string, servers int) (gone, back, failed *book.Cell) {
	label, names := fmt.Sprintf("%s, 1 of %d servers", w.name, servers), []string{"ipvsd", "keepalived", "ldirectord"}
	cell := func(t book.Table) *book.Cell { return r.table(t).Cell(label, contender) }
	return cell(book.Table{Name: "gone", Title: "From death to removal from the table", Unit: book.Time, Contenders: names}),
		cell(book.Table{Name: "back", Title: "From return to all servers in the table", Unit: book.Time, Contenders: names}),
		cell(book.Table{Name: "failed", Title: "Failed requests from death to removal", Unit: book.Count, Contenders: names})
}

// ground is a director between clients and servers, whose addresses are those of one host.
type ground struct {
	inside                  *lab.Bridge
	director, crowd, client *lab.Host
}

func newGround(b *bench) ground {
	g := ground{inside: lab.NewBridge(b, "inside", 1500), director: lab.NewHost(b, "director"), crowd: lab.NewHost(b, "crowd"), client: lab.NewHost(b, "client")}
	outside := lab.NewBridge(b, "outside", 1500)
	g.director.Sysctl("net.ipv4.ip_forward", "1")
	g.director.Connect(g.inside, "eth0", "10.8.0.1/24")
	g.director.Connect(outside, "eth1", "10.9.0.1/24", vip(0)+"/32")
	g.serves(g.crowd, "10.8.0.2")
	g.client.Connect(outside, "eth0", "10.9.0.2/24")
	g.client.Run("ip", "route", "add", "default", "via", "10.9.0.1")
	g.director.Run("ip", "route", "add", serverNet, "via", "10.8.0.2")
	return g
}

// serves makes a host one that has the servers' addresses.
func (g ground) serves(host *lab.Host, at string) {
	host.Connect(g.inside, "eth0", at+"/24")
	host.Run("ip", "route", "add", "local", serverNet, "dev", "lo")
	host.Run("ip", "route", "add", "default", "via", "10.8.0.1")
}

// measure has one server die and return.
func (w watchful) measure(r *run, c contender, servers int) {
	b, g := r.bench, newGround(r.bench)
	victim := lab.NewHost(b, "victim")
	g.serves(victim, "10.8.0.3")
	g.director.Run("ip", "route", "add", rip(0), "via", "10.8.0.3")

	listen(b, g.crowd, new(atomic.Int64))
	var asked atomic.Int64
	stop := listen(b, victim, &asked)
	c.forget()
	p, _ := c.launch(b, g.director, 0)
	w.watch(b, g.director, servers, true)
	lab.WaitFor(b, patience, "checks of the server that is to die", func() error {
		if n := asked.Load(); n < 2 {
			return fmt.Errorf("%d until now", n)
		}
		return nil
	})
	gone, back, lost := w.noticed(r, c.name, servers)
	h := hammer{}
	defer h.start(b, g.client)()
	<-time.After(time.Duration(rand.Int64N(int64(w.interval))))
	failed, requests := h.failed.Load(), h.requests.Load()
	began := time.Now()
	if w.cut {
		victim.LinkDown("eth0")
	} else {
		stop()
	}
	gone.Add(w.watch(b, g.director, servers, false).Sub(began).Seconds())
	lost.AddOf(float64(h.failed.Load()-failed), float64(h.requests.Load()-requests))

	<-time.After(time.Duration(rand.Int64N(int64(w.interval))))
	began = time.Now()
	if w.cut {
		victim.LinkUp("eth0")
		victim.Run("ip", "route", "add", "default", "via", "10.8.0.1")
	} else {
		stop = listen(b, victim, &asked)
	}
	back.Add(w.watch(b, g.director, servers, true).Sub(began).Seconds())
	stop()
	b.Must(p.Stop())
}

// watch waits until the server that dies has clients, or has none, and all others have them. It looks every 5 ms.
func (w watchful) watch(b *bench, director *lab.Host, servers int, alive bool) time.Time {
	var table *moby.Handle
	b.Must(director.Do(func() (err error) {
		table, err = moby.New("")
		return err
	}))
	defer table.Close()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		now := <-tick.C
		list, err := table.GetDestinations(service(0))
		serving, found := 0, false
		for _, d := range list {
			if d.Weight > 0 {
				serving++
				found = found || d.Address.Equal(net.ParseIP(rip(0)))
			}
		}
		if found == alive && err == nil && (!alive || serving == servers) {
			return now
		}
		if now.After(deadline) {
			b.Fatalf("after %v the table has %d servers, %v", patience, serving, err)
		}
	}
}
