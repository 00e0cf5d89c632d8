package main

import (
	"context"
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
	r.pulse = r.now()
	every(100*time.Millisecond, r.beat)
	every(lookEvery, r.sampler(capture))
	r.ask(all, every, "web", func() error { _, err := r.Get(); return err })
	r.ask(all, every, "dns", func() error { _, err := r.Resolve(); return err })
}

// ask has a client ask a service.
func (r *run) ask(all *sync.WaitGroup, every func(time.Duration, func()), service string, send func() error) {
	count := new(tally)
	r.requests[service] = count
	every(askEvery, func() {
		all.Go(func() {
			q := chaos.Request{Begin: r.now(), Service: service}
			if err := send(); err != nil {
				q.Err = err.Error()
			}
			q.End = r.now()
			r.judging(func(j *chaos.Judge) []chaos.Breach {
				count.sent++
				if q.Err != "" {
					count.failed++
				}
				return j.Request(q)
			})
		})
	})
}

// stall is how late a clock may be that ticks every 100 ms. If it is later, the machine stood still.
const stall = time.Second

// feel tells the judge if the machine stood still since the pulse was felt last. The caller has locked.
func (r *run) feel() {
	now := r.now()
	select {
	case <-r.over: // no pulse any more
		return
	default:
	}
	if late := now - r.pulse; late > stall {
		r.judge.Stalled(r.pulse, now)
		r.stalls++
		r.story, r.last = append(r.story, line(now, fmt.Sprintf("the machine stood still for %v", late.Round(10*time.Millisecond)))), append(r.last, now)
		r.pulse = now
	}
}

func (r *run) beat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.feel()
	r.pulse = r.now()
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
				seen.Vitals = d.vitals()
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

// vitals returns what /proc and the metrics say of the daemon; nil if it does not run.
func (d *director) vitals() *chaos.Vitals {
	d.mu.Lock()
	silent, pid := d.down || d.mute, d.pid()
	d.mu.Unlock()
	if silent || pid == 0 {
		return nil
	}
	proc := fmt.Sprintf("/proc/%d", pid)
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return nil
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return nil
	}
	goroutines, err := d.goroutines()
	if err != nil {
		return nil
	}
	return &chaos.Vitals{
		Process: fmt.Sprintf("%s/%d", d.Name, pid), Descriptors: len(files),
		Memory: number(string(status), `VmRSS:\s*(\d+)`), Goroutines: goroutines,
	}
}

func (d *director) goroutines() (int, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.Path("socket"))
		},
	}}
	answer, err := client.Get("http://ipvsd/metrics")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return number(string(text), `(?m)^go_goroutines (\d+)`), err
}

// number returns the first number that a pattern finds in a text.
func number(text, pattern string) int {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
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
