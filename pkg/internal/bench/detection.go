package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	moby "github.com/moby/ipvs"

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
		{name: "defaults: delay_loop 5", servers: []int{1, 100, 1000}, interval: 5 * second, only: "ipvsd"},
		{name: "defaults: delay_loop 60", servers: []int{1}, interval: 60 * second, only: "keepalived"},
		{name: "delay_loop 3", servers: []int{1, 100, 1000}, interval: 3 * second, words: thesis},
		{name: "delay_loop 3, fast_interval 0.2", servers: []int{1, 100, 1000}, interval: 3 * second, words: thesis,
			more: []string{"fast_interval = 0.2"}, only: "ipvsd"},
		{name: "scenario 2, crash", servers: []int{2}, interval: 2 * second, words: ldirectord, http: true},
		{name: "scenario 2, network", servers: []int{2}, interval: 2 * second, words: ldirectord, http: true, cut: true},
		{name: "delay_loop 0.1", servers: []int{1, 10}, interval: second / 10,
			words: []string{"delay_loop 0.1", "delay_before_retry 0.1", "connect_timeout 1"}},
		{name: "delay_loop 0.1, nothing else", servers: []int{1, 10}, interval: second / 10, words: []string{"delay_loop 0.1"}, only: "ipvsd"},
		{name: "delay_loop 0.1, fast_interval 0.02", servers: []int{1, 10}, interval: second / 10,
			words: []string{"delay_loop 0.1", "connect_timeout 1"}, more: []string{"fast_interval = 0.02"}, only: "ipvsd"},
	}
}

// noticed is what was measured of a contender.
type noticed struct {
	gone, back       series // from death to removal from the table, and from the return
	failed, requests int    // of the clients, from death to removal
}

func measureDetection(b *bench, bin string, runs int) {
	dir := b.tempDir()
	fmt.Printf("one server dies and returns, %d times: median (fastest to slowest); a client asks every 10 ms\n\n", runs)
	fmt.Printf("%-36s %7s  %-11s %-28s %-28s %s\n", "", "servers", "", "until it is gone", "until it is back", "failed requests")
	for _, w := range watchfuls() {
		for _, servers := range w.servers {
			for _, c := range []contender{watchfulIPVSD(bin, dir, w, servers), watchfulKeepalived(dir, w, servers)} {
				if w.only != "" && w.only != c.name {
					continue
				}
				var n noticed
				b.Within(func() { n = w.measure(b, c, servers, runs) })
				fmt.Printf("%-36s %7d  %-11s %-28v %-28v %d of %d\n", w.name, servers, c.name, n.gone, n.back, n.failed, n.requests)
			}
		}
	}
}

func (w watchful) measure(b *bench, c contender, servers, runs int) (n noticed) {
	inside, outside := lab.NewBridge(b, "inside", 1500), lab.NewBridge(b, "outside", 1500)
	director, crowd, victim, client := lab.NewHost(b, "director"), lab.NewHost(b, "crowd"), lab.NewHost(b, "victim"), lab.NewHost(b, "client")
	director.Sysctl("net.ipv4.ip_forward", "1")
	director.Connect(inside, "eth0", "10.8.0.1/24")
	director.Connect(outside, "eth1", "10.9.0.1/24", vip(0)+"/32")
	for host, at := range map[*lab.Host]string{crowd: "10.8.0.2", victim: "10.8.0.3"} {
		host.Connect(inside, "eth0", at+"/24")
		host.Run("ip", "route", "add", "local", serverNet, "dev", "lo")
		host.Run("ip", "route", "add", "default", "via", "10.8.0.1")
	}
	client.Connect(outside, "eth0", "10.9.0.2/24")
	client.Run("ip", "route", "add", "default", "via", "10.9.0.1")
	director.Run("ip", "route", "add", serverNet, "via", "10.8.0.2")
	director.Run("ip", "route", "add", rip(0), "via", "10.8.0.3")

	listen(b, crowd, new(atomic.Int64))
	var asked atomic.Int64
	stop := listen(b, victim, &asked)
	c.write(b, 0)
	p := director.Start(c.start...)
	w.watch(b, director, servers, true)
	lab.WaitFor(b, patience, "checks of the server that is to die", func() error {
		if n := asked.Load(); n < 2 {
			return fmt.Errorf("%d until now", n)
		}
		return nil
	})
	h := hammer{}
	defer h.start(b, client)()
	for range runs {
		<-time.After(time.Duration(rand.Int64N(int64(w.interval))))
		failed, requests := h.failed.Load(), h.requests.Load()
		began := time.Now()
		if w.cut {
			victim.LinkDown("eth0")
		} else {
			stop()
		}
		n.gone = append(n.gone, w.watch(b, director, servers, false).Sub(began))
		n.failed += int(h.failed.Load() - failed)
		n.requests += int(h.requests.Load() - requests)

		<-time.After(time.Duration(rand.Int64N(int64(w.interval))))
		began = time.Now()
		if w.cut {
			victim.LinkUp("eth0")
			victim.Run("ip", "route", "add", "default", "via", "10.8.0.1")
		} else {
			stop = listen(b, victim, &asked)
		}
		n.back = append(n.back, w.watch(b, director, servers, true).Sub(began))
	}
	stop()
	b.Must(p.Stop())
	return n
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

// listen serves the page of scenario 2 on a host until stop is called.
func listen(b *bench, host *lab.Host, asked *atomic.Int64) (stop func()) {
	l, err := host.Listen("tcp", "0.0.0.0:80")
	b.Must(err)
	b.Cleanup(func() { _ = l.Close() })
	serve := func(conn net.Conn) {
		defer conn.Close()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if lines.Text() == "" {
				_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nPagina de Prueba\n")
				return
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			go serve(conn)
		}
	}()
	return func() { _ = l.Close() }
}

// hammer is a client who asks all the time.
type hammer struct{ requests, failed atomic.Int64 }

func (h *hammer) start(b *bench, client *lab.Host) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		b.Must(client.Do(func() error {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-quit:
					return nil
				case <-tick.C:
				}
				if !ask() {
					h.failed.Add(1)
				}
				h.requests.Add(1)
			}
		}))
	}()
	return func() {
		close(quit)
		<-done
	}
}

// ask requests the page. Who waits longer than a second has no patience left.
func ask() bool {
	conn, err := net.DialTimeout("tcp", vip(0)+":80", second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(second)) != nil {
		return false
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	page, err := io.ReadAll(conn)
	return err == nil && strings.HasSuffix(string(page), "Prueba\n")
}

func watchfulIPVSD(bin, dir string, w watchful, servers int) contender {
	file := filepath.Join(dir, "watchful.toml")
	return contender{
		name: "ipvsd",
		start: []string{filepath.Join(bin, "ipvsd"), "-f", file, "--socket", filepath.Join(dir, "socket"),
			"--state-dir", dir, "--log-level", "error"},
		write: func(b *bench, _ int) {
			_ = os.Remove(filepath.Join(dir, "owned.json"))
			lines := []string{"[global_defs]", "lvs_flush_on_stop = true", "[[virtual_server]]", fmt.Sprintf("address = %q", vip(0)+":80"),
				`protocol = "TCP"`, `lb_algo = "rr"`}
			for _, word := range w.words {
				key, value, given := strings.Cut(word, " ")
				if !given {
					value = "true"
				}
				lines = append(lines, key+" = "+value)
			}
			lines = append(lines, w.more...)
			if w.http {
				lines = append(lines, `HTTP_GET = { url = { path = "/", regex = "Pagina de Prueba" } }`)
			} else {
				lines = append(lines, "TCP_CHECK = true")
			}
			lines = append(lines, "real_servers = [")
			for n := range servers {
				lines = append(lines, fmt.Sprintf("%q,", target(n)))
			}
			b.write(file, append(lines, "]"))
		},
	}
}

func watchfulKeepalived(dir string, w watchful, servers int) contender {
	file := filepath.Join(dir, "watchful.conf")
	pid := func(name string) string { return filepath.Join(dir, name+".pid") }
	return contender{
		name: "keepalived",
		start: []string{"keepalived", "--dont-fork", "--check", "--log-console", "--use-file", file,
			"--pid", pid("keepalived"), "--checkers_pid", pid("checkers")},
		write: func(b *bench, _ int) {
			_, _ = os.Remove(pid("keepalived")), os.Remove(pid("checkers"))
			lines := []string{"global_defs {", "lvs_flush_on_stop VS", "}", fmt.Sprintf("virtual_server %s 80 {", vip(0)), "protocol TCP",
				"lb_algo rr", "lb_kind NAT"}
			lines = append(lines, w.words...)
			check := "TCP_CHECK { }"
			if w.http {
				check = "HTTP_GET {\nurl {\npath /\nregex \"Pagina de Prueba\"\n}\n}"
			}
			for n := range servers {
				lines = append(lines, fmt.Sprintf("real_server %s 80 {", rip(n)), check, "}")
			}
			b.write(file, append(lines, "}"))
		},
	}
}
