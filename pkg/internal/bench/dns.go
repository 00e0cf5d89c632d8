package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/internal/pair"
)

func measureDNS(r *run) {
	c := lab.NewNATCluster(r.bench)
	crowds, length := crowds, 3*time.Second
	if r.quick {
		crowds, length = []int{1, 12}, time.Second
	}
	questions := filepath.Join(r.tempDir(), "questions")
	r.write(questions, []string{"www.lab.local A", "ns.lab.local A", "whoami.lab.local TXT"})
	table := func(name, title string, u book.Unit) *book.Table {
		return r.table(book.Table{Name: name, Title: title, Unit: u, X: "clients", Contenders: []string{"ipvsd", "keepalived"}})
	}
	rate, latency := table("rate", "DNS: queries a second", book.Rate), table("latency", "DNS: mean time until an answer, as dnsperf tells it", book.Time)
	lost := table("lost", "DNS: lost queries", book.Count)
	start := func(tool pair.Tool) {
		d := pair.NewDirector(r.bench, c.Director, tool, r.bin)
		d.Write(pair.Setup{Services: true})
		d.Start()
		r.Cleanup(d.Stop)
		settled(r.bench, c.Director, 2+6)
	}
	r.Within(func() { // who is first shall not be the one that warms everything up
		start(pair.Keepalived)
		dnsperf(r.bench, c.Client, questions, crowds[0], length)
	})
	c.Director.Run("ipvsadm", "--clear")
	r.turns(func(n int) {
		for _, tool := range inTurn(n, []pair.Tool{pair.IPVSD, pair.Keepalived}) {
			r.Within(func() {
				start(tool)
				for _, clients := range crowds {
					got := dnsperf(r.bench, c.Client, questions, clients, length)
					rate.At(float64(clients), string(tool)).Add(got.rate)
					latency.At(float64(clients), string(tool)).Add(got.median)
					lost.At(float64(clients), string(tool)).AddOf(got.failed, got.sent)
				}
			})
			c.Director.Run("ipvsadm", "--clear")
		}
	})
}

// underWay is how many questions of all clients wait for an answer at most: dnsperf's own default. With fewer it waits for its own timers in User Mode
// Linux: of bind9 itself, with no director between, it has 31 answers a second with -q 1, and 9,000 with -q 100.
const underWay = 100

// dnsperf has so many clients ask for that long.
func dnsperf(b *bench, client *lab.Host, questions string, clients int, length time.Duration) served {
	out := client.Run("dnsperf", "-s", lab.DNSVIP.Addr().String(), "-p", fmt.Sprint(lab.DNSVIP.Port()), "-d", questions,
		"-l", fmt.Sprint(int(length.Seconds())), "-c", fmt.Sprint(clients), "-q", fmt.Sprint(underWay), "-t", "2")
	got, err := parseDNSPerf(out)
	if err != nil {
		b.Fatalf("dnsperf -c %d: %v\n%s", clients, err, out)
	}
	return got
}

// parseDNSPerf reads what dnsperf prints. It knows no median: the mean stands for it.
func parseDNSPerf(out string) (s served, err error) {
	for _, line := range []struct {
		begins string
		into   *float64
	}{{"Queries per second:", &s.rate}, {"Average Latency (s):", &s.median}, {"Queries lost:", &s.failed}, {"Queries sent:", &s.sent}} {
		if *line.into, err = after(out, line.begins); err != nil {
			return s, err
		}
	}
	return s, nil
}
