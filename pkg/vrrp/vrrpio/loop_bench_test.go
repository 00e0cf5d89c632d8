package vrrpio

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// thousand is a loop with as many active instances on links that lead nowhere, each of which has heard 16 routers.
func thousand(b *testing.B) *loop {
	b.Helper()
	log := startScribe(slog.New(slog.DiscardHandler))
	b.Cleanup(log.stop)
	n := &lan{}
	net := portNetwork{n.connect()}
	l := newLoop(net, log, newPorter(net, log, nil), Options{Report: func([]vrrp.Action) {}})
	l.now, l.hosts = time.Now(), newHosts(eth0(1, 1))
	var all []vrrp.Instance
	for i := range 1000 {
		all = append(all, virtual(uint8(i%250+1), 150, func(in *vrrp.Instance) {
			in.Name, in.Interface = fmt.Sprintf("VI_%d", i), fmt.Sprintf("eth%d", i/250)
		}))
		l.hosts[all[i].Interface] = l.hosts["eth0"]
	}
	l.change(newConfiguration(all, nil))
	for s := range l.links {
		socket, err := net.open(s)
		l.opened(s, socket, err)
	}
	for peer := range byte(vrrp.MaxPeers) {
		for i := range all {
			a := vrrp.Advert{Version: 3, VRID: all[i].VRID, Priority: 50, Interval: time.Second, Addrs: all[i].Addresses}
			l.step(vrrp.Received{Instance: all[i].Name, From: eth0(1, peer+2)[0].Addrs[0].Addr(), Advert: a})
		}
	}
	l.now = l.now.Add(10 * time.Second)
	l.step(vrrp.Tick{})
	l.flush()
	return l
}

// BenchmarkStatus is for how long a part of the answer keeps the thread.
func BenchmarkStatus(b *testing.B) {
	l := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		if part := l.status(900, statusPart); part[0].State != vrrp.Active {
			b.Fatal(part[0].State)
		}
	}
}

// BenchmarkThousandAdverts is what a second of 1000 instances costs besides system calls.
func BenchmarkThousandAdverts(b *testing.B) {
	l := thousand(b)
	for _, k := range l.links {
		k.socket = nowhere{}
	}
	b.ReportAllocs()
	for b.Loop() {
		l.now = l.now.Add(time.Second)
		l.step(vrrp.Tick{})
		l.flush()
	}
}

// nowhere is a socket.
type nowhere struct{}

func (nowhere) send(batch []datagram) (int, error) { return len(batch), nil }

func (nowhere) close() {}

// BenchmarkReload is for how long a configuration keeps the thread.
func BenchmarkReload(b *testing.B) {
	l := thousand(b)
	var all []vrrp.Instance
	for _, in := range l.instances {
		all = append(all, in.Instance)
	}
	for b.Loop() {
		b.StopTimer()
		c := newConfiguration(all, nil)
		b.StartTimer()
		l.change(c)
	}
}
