package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// happen has a fault begin or end, and tells the judge: before it begins, and after it has ended.
func (r *run) happen(m moment) {
	f := m.f
	if !m.end {
		r.tell(f.String())
		r.done[f.Kind]++
		active := r.active(f.Target)
		r.judging(func(j *chaos.Judge) []chaos.Breach { j.Begin(r.now(), f, active); return nil })
	}
	if m.end {
		r.judging(func(j *chaos.Judge) []chaos.Breach { j.Ending(r.now(), f); return nil })
	}
	switch {
	case r.director(f.Target) != nil:
		r.toDirector(r.director(f.Target), f, m.end)
	case r.servers[f.Target] != nil:
		r.toServer(r.servers[f.Target], f, m.end)
	default:
		r.toAll(f, m.end)
	}
	if m.end && f.Kind == chaos.Switchover {
		return // see handBack
	}
	if m.end || f.For == 0 {
		r.judging(func(j *chaos.Judge) []chaos.Breach { j.End(r.now(), f); return nil })
	}
	if m.end {
		r.tell("over: " + string(f.Kind) + " " + f.Target)
	}
}

func (r *run) director(name string) *director {
	for _, d := range r.directors {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (r *run) toDirector(d *director, f chaos.Fault, end bool) {
	switch f.Kind {
	case chaos.Kill, chaos.Stop:
		if end {
			d.begin()
			return
		}
		d.end(f.Kind == chaos.Stop)
	case chaos.Freeze:
		if end {
			d.Process.Signal(syscall.SIGCONT)
		} else {
			d.Process.Signal(syscall.SIGSTOP)
		}
		d.mu.Lock()
		d.mute = !end
		d.mu.Unlock()
	case chaos.Cut, chaos.CutOne:
		for n, b := range []*lab.Bridge{r.External, r.Internal} {
			switch {
			case f.Kind == chaos.CutOne && n != f.Number:
			case end:
				b.Plug(d.Host)
			default:
				b.Unplug(d.Host)
			}
		}
	case chaos.Silence:
		for _, b := range []*lab.Bridge{r.External, r.Internal} {
			if end {
				b.Hear(d.Host)
			} else {
				b.Silence(d.Host)
			}
		}
	case chaos.Deafen, chaos.Loss, chaos.Delay, chaos.Duplicate:
		for n, b := range []*lab.Bridge{r.External, r.Internal} {
			impair(b, d.Host, fmt.Sprintf("eth%d", n), f, end)
		}
	case chaos.Broken:
		r.tryBroken(d)
	case chaos.Upgrade:
		r.ctl(d, "upgrade")
	default:
		r.byHand(d, f)
	}
}

// impair has netem disturb a host, or stops it.
func impair(b *lab.Bridge, h *lab.Host, ifname string, f chaos.Fault, end bool) {
	if end {
		b.Mend(h)
		if f.Kind != chaos.Deafen {
			h.Mend(ifname)
		}
		return
	}
	var how []string
	switch f.Kind {
	case chaos.Deafen:
		b.Deafen(h)
		return
	case chaos.Loss, chaos.ServerLoss:
		how = []string{"loss", fmt.Sprintf("%d%%", f.Number)}
	case chaos.Duplicate:
		how = []string{"duplicate", "30%"}
	default:
		how = []string{"delay", fmt.Sprintf("%dms", f.Number), fmt.Sprintf("%dms", f.Number/2), "reorder", "25%", "50%"}
	}
	b.Impair(h, how...)
	h.Impair(ifname, how...)
}

// tryBroken has a director read a file that it must refuse.
func (r *run) tryBroken(d *director) {
	d.WriteText(configuration(r.world, d.number, chaos.Variant{}) + "\n[global_defs.nonsense]\nword = 1\n")
	out, err := d.Ctl("reload")
	d.WriteText(configuration(r.world, d.number, r.variant))
	if err == nil {
		r.convict(chaos.Breach{At: r.now(), What: fmt.Sprintf("%s took a broken configuration: %s", d.Name, out)})
	}
}

// handOver has the active director hand over.
func (r *run) handOver() bool {
	d := r.holder()
	if d == nil {
		r.tell("nobody is there to hand over")
		return false
	}
	if out, err := d.Ctl("switchover", "VG1"); err != nil {
		r.tell(fmt.Sprintf("switchover refused by %s: %v %s", d.Name, err, out)) // there may be nobody to take over
		return false
	}
	return true
}

// handBack undoes a switchover, if it is not undone already: whoever handed over does not preempt before. It may take another
// time or two, as long as who should take over can't.
func (r *run) handBack() {
	if r.owed == nil {
		return
	}
	d := r.holder()
	if d != nil && d.number <= r.handedBy || r.world.NoPreempt && r.handOver() {
		f := *r.owed
		r.owed = nil
		r.judging(func(j *chaos.Judge) []chaos.Breach { j.End(r.now(), f); return nil })
		r.tell("over: " + string(f.Kind))
		return
	}
	if !r.world.NoPreempt {
		r.handOver()
	}
}

// holder is the director that is active and can be asked; nil: there is none.
func (r *run) holder() *director {
	for _, d := range r.directors {
		if r.active(d.Name) && !d.silent() {
			return d
		}
	}
	return nil
}

// byHand does what somebody may do to a director who does not know what is his. What isn't there can't be changed: such errors are
// no news.
func (r *run) byHand(d *director, f chaos.Fault) {
	s := of(f.Server)
	switch f.Kind {
	case chaos.DropService:
		_, _ = d.Output("ipvsadm", "-D", s.flag, s.address)
	case chaos.DropServer:
		_, _ = d.Output("ipvsadm", "-d", s.flag, s.address, "-r", at(f.Server))
	case chaos.Reweigh:
		_, _ = d.Output("ipvsadm", "-e", s.flag, s.address, "-r", at(f.Server), "-m", "-w", "7")
	case chaos.Clear:
		_, _ = d.Output("ipvsadm", "-C")
	case chaos.DropAddress:
		_, _ = d.Output("ip", "address", "delete", virtual[2]+"/24", "dev", "eth0")
	default:
		r.tb.Fatalf("nobody knows how to do %q", f.Kind)
	}
}

func (r *run) toServer(s *lab.Server, f chaos.Fault, end bool) {
	switch f.Kind {
	case chaos.ServerKill:
		if end {
			s.Start()
			return
		}
		s.Stop()
	case chaos.ServerFreeze:
		if end {
			s.Thaw()
			return
		}
		s.Freeze()
	case chaos.ServerCut:
		if end {
			r.Internal.Plug(s.Host)
			return
		}
		r.Internal.Unplug(s.Host)
	case chaos.ServerLoss, chaos.ServerDelay:
		impair(r.Internal, s.Host, "eth0", f, end)
	default:
		r.tb.Fatalf("nobody knows how to do %q", f.Kind)
	}
}

func (r *run) toAll(f chaos.Fault, end bool) {
	switch f.Kind {
	case chaos.Reload:
		r.variant = r.world.NewVariant(f.Number)
		for _, d := range r.directors {
			d.WriteText(configuration(r.world, d.number, r.variant))
			r.ctl(d, "reload")
		}
	case chaos.Drain:
		if _, there := r.variant[f.Server]; !there {
			return
		}
		for _, d := range r.directors {
			if end {
				r.ctl(d, "undrain", at(f.Server))
			} else {
				r.ctl(d, "drain", at(f.Server))
			}
		}
	case chaos.Switchover:
		if d := r.holder(); !end {
			r.handedBy = len(r.directors)
			if d != nil && r.handOver() {
				r.handedBy = d.number
			}
		} else {
			r.owed = &f
			r.handBack()
		}
	case chaos.UpgradeTop:
		if d := r.holder(); d != nil {
			r.tell("the active director is " + d.Name)
			r.ctl(d, "upgrade")
		} else {
			r.done[f.Kind]--
		}
	case chaos.ClockJump:
		r.jump(f, end)
	default:
		r.tb.Fatalf("nobody knows how to do %q", f.Kind)
	}
}

// ctl has a director do what it can't refuse.
func (r *run) ctl(d *director, args ...string) {
	if out, err := d.Ctl(args...); err != nil {
		r.convict(chaos.Breach{At: r.now(), What: fmt.Sprintf("ipvsctl %v on %s: %v\n%s", args, d.Name, err, out)})
	}
}

// jump sets the clock, if it is the lab's own.
func (r *run) jump(f chaos.Fault, back bool) {
	if os.Getenv("IPVSD_LAB") != "uml" {
		return
	}
	by := time.Duration(f.Number) * time.Hour
	if back {
		by = -by
	}
	then := unix.NsecToTimeval(time.Now().Add(by).UnixNano())
	if err := unix.Settimeofday(&then); err != nil {
		r.tb.Fatalf("set the clock: %v", err)
	}
}
