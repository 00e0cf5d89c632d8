package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// How often observers look, and clients ask.
const (
	lookEvery   = time.Second
	advertEvery = 4 // looks
	vitalsEvery = 5
	askEvery    = 50 * time.Millisecond
)

// watch starts observers and clients.
func (r *run) watch(all *sync.WaitGroup) {
	capture := lab.NewCapture(r.watcher, "any", "vrrp")
	for _, d := range r.directors { // who has a connection to which server
		d.ways = lab.NewCapture(d.Host, "eth1", "src host "+lab.ClientAddr.String()+" and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn")
	}
	r.clock.start()
	every := func(pause time.Duration, f func()) {
		all.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				f()
				select {
				case <-r.over:
					return
				case <-tick.C:
				}
			}
		})
	}
	every(tick, r.beat)
	every(lookEvery, r.sampler(capture))
	r.ask(all, every, "web", func() error { _, err := r.Get(); return err })
	r.ask(all, every, "dns", func() error { _, err := r.Resolve(); return err })
}

// ask has a client ask a service.
func (r *run) ask(all *sync.WaitGroup, every func(time.Duration, func()), service string, send func() error) {
	count := new(chaos.Tally)
	r.requests[service] = count
	every(askEvery, func() {
		all.Go(func() {
			q := chaos.Request{Begin: r.now(), Service: service}
			if err := send(); err != nil {
				q.Err = err.Error()
			}
			q.End = r.now()
			if q.Err != "" && r.asks(q) {
				q.Server = r.sentTo(q.Err)
			}
			r.judging(func(j *chaos.Judge) []chaos.Breach {
				count.Sent++
				if q.Err != "" {
					count.Failed++
				}
				return j.Request(q)
			})
		})
	})
}

func (r *run) asks(q chaos.Request) (asks bool) {
	r.judging(func(j *chaos.Judge) []chaos.Breach { asks = j.Asks(q); return nil })
	return asks
}

// origin is the client's port in what Go says of a connection that failed.
var origin = regexp.MustCompile(regexp.QuoteMeta(lab.ClientAddr.String()) + `:(\d+)->`)

// sentTo returns the server that a connection of the client went to, as seen behind the directors; empty: to none. What was captured
// is written a little later.
func (r *run) sentTo(failure string) (server string) {
	m := origin.FindStringSubmatch(failure)
	if m == nil {
		return ""
	}
	seen := regexp.MustCompile(regexp.QuoteMeta(lab.ClientAddr.String()) + `\.` + m[1] + ` > (\d+\.\d+\.\d+\.\d+)\.`)
	_ = lab.Poll(captured, func() error {
		for _, d := range r.directors {
			all := seen.FindAllStringSubmatch(strings.Join(d.ways.Packets(), "\n"), -1)
			for name, address := range addresses {
				if len(all) > 0 && all[len(all)-1][1] == address.String() {
					server = name
					return nil
				}
			}
		}
		return errors.New("not seen")
	})
	return server
}

// captured is how long it may take until what tcpdump has seen is in its log.
const captured = 5 * time.Second

// beat has the clock go on, and tells the judge when it stood still.
func (r *run) beat() {
	at, gap := r.clock.beat()
	if gap == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.judge.Upsets()
	r.judge.Stood(at, gap)
	if r.judge.Upsets() > before {
		r.story = append(r.story, told{at, fmt.Sprintf("the lab stood still, at last for %v: counted as a fault", gap.Round(time.Millisecond))})
	}
}

// sampler returns what looks at everything.
func (r *run) sampler(capture *lab.Capture) func() {
	looks, heard, since := 0, len(capture.Packets()), r.now()
	return func() {
		looks++
		s := chaos.Sample{Begin: r.now()}
		var holders []string
		for _, d := range r.directors {
			r.readLog(d)
			seen := d.look()
			if looks%vitalsEvery == 0 {
				var err error
				if seen.Vitals, err = d.vitals(); err != nil {
					r.convict(chaos.Breach{At: r.now(), What: fmt.Sprintf("%s: %v", d.Name, err)})
				}
			}
			if len(seen.Addresses) > 0 {
				holders = append(holders, d.Name)
			}
			s.Directors = append(s.Directors, seen)
		}
		hosts := []*lab.Host{r.Client, r.watcher}
		for _, server := range r.servers {
			hosts = append(hosts, server.Host)
		}
		for _, h := range hosts {
			for _, address := range held(h) {
				s.Elsewhere = append(s.Elsewhere, h.Name+" has "+address)
			}
		}
		s.End = r.now()
		if looks%advertEvery == 0 {
			packets := capture.Packets()
			s.Adverts, s.Since = adverts(packets[heard:]), since
			heard, since = len(packets), s.End
		}
		if changed := fmt.Sprint(holders); changed != fmt.Sprint(r.seenHolders()) {
			r.tell("seen: virtual addresses on " + changed)
		}
		r.judging(func(j *chaos.Judge) []chaos.Breach { r.holders = holders; return j.Sample(s) })
	}
}

func (r *run) seenHolders() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holders
}

// held returns the virtual addresses that a host has.
func held(h *lab.Host) (found []string) {
	_ = h.Do(func() error {
		list, err := net.InterfaceAddrs()
		for _, a := range list {
			if p, err := netip.ParsePrefix(a.String()); err == nil && slices.Contains(virtual, p.Addr().String()) {
				found = append(found, p.Addr().String())
			}
		}
		return err
	})
	return found
}

// look returns the addresses and the table of a director, as the kernel and ipvsadm have them.
func (d *director) look() chaos.Seen {
	seen := chaos.Seen{Name: d.Name, Addresses: held(d.Host)}
	rows, err := d.ReadTable()
	if err != nil {
		return seen
	}
	seen.Table = map[string]map[string]int{}
	for _, row := range rows {
		name := row.Service
		for _, s := range chaos.Services {
			if name == services[s].protocol+" "+services[s].address {
				name = s
			}
		}
		if seen.Table[name] == nil {
			seen.Table[name] = map[string]int{}
		}
		if row.Server == "" {
			continue
		}
		server := row.Server
		for _, s := range chaos.Servers[name] {
			if server == at(s) {
				server = s
			}
		}
		seen.Table[name][server] = int(row.Int(1))
	}
	return seen
}

var advert = regexp.MustCompile(`IP (\S+) > 224\.0\.0\.18: .*vrid (\d+), prio (\d+)`)

// adverts returns who sent some, by virtual router.
func adverts(packets []string) map[string][]string {
	from := map[string][]string{"51": nil, "52": nil}
	for _, p := range packets {
		if m := advert.FindStringSubmatch(p); m != nil && m[3] != "0" && !slices.Contains(from[m[2]], m[1]) {
			from[m[2]] = append(from[m[2]], m[1])
		}
	}
	return from
}

// vitals returns what /proc and the metrics say of the daemon; nil if it does not run. It is an error if it answers and does not say it.
func (d *director) vitals() (*chaos.Vitals, error) {
	d.mu.Lock()
	silent, pid := d.down || d.mute, d.pid()
	d.mu.Unlock()
	if silent || pid == 0 {
		return nil, nil
	}
	proc := fmt.Sprintf("/proc/%d", pid)
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return nil, nil // it has ended meanwhile
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return nil, nil
	}
	metrics, err := d.metrics()
	if err != nil {
		return nil, nil // nobody answers: it may have ended meanwhile; see chaos.Least
	}
	v := chaos.Vitals{Process: fmt.Sprintf("%s/%d", d.Name, pid), Descriptors: len(files)}
	if v.Goroutines, err = number(metrics, `(?m)^go_goroutines (\d+)`); err != nil {
		return nil, fmt.Errorf("the metrics: %w", err)
	}
	if v.Memory, err = number(string(status), `VmRSS:\s*(\d+)`); err != nil {
		return nil, nil // a zombie has none
	}
	return &v, nil
}

func (d *director) metrics() (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.Path("socket"))
		},
	}}
	answer, err := client.Get("http://ipvsd/metrics")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		return "", errors.New(answer.Status)
	}
	return string(text), err
}

// number returns the first number that a pattern finds in a text.
func number(text, pattern string) (int, error) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("nothing in them is like %s", pattern)
	}
	return strconv.Atoi(m[1])
}

// words are those of a daemon that is broken.
var words = []string{"panic", "fatal error", "DATA RACE", "goroutine ", "impossible"}

// readLog looks at what a daemon has written since the last time, and whether it runs.
func (r *run) readLog(d *director) {
	d.mu.Lock()
	defer d.mu.Unlock()
	log := d.process.Log()
	fresh := log[min(d.read, len(log)):]
	d.read = len(log)
	for _, w := range words {
		if i := strings.Index(fresh, w); i >= 0 {
			r.convict(chaos.Breach{At: r.now(), What: fmt.Sprintf("%s wrote:\n%s", d.Name, fresh[max(0, i-200):])})
		}
	}
	if !d.down && d.pid() == 0 {
		d.down = true
		r.convict(chaos.Breach{At: r.now(), What: fmt.Sprintf("%s ended by itself: %v", d.Name, d.process.Err())})
	}
}
