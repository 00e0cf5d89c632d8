package vrrpio

import (
	"context"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Standing is what another process needs of a Runner to go on with it, by identity as in vrrp.Standing.
type Standing = vrrp.Standing

// Ready is closed when every instance has its socket, or can't have one now.
func (r *Runner) Ready() <-chan struct{} { return r.ready }

// Freeze has the thread stand still, and returns what another process needs to go on. Until thaw is called, which must be once, no advert
// leaves: then the thread goes on, and sees by the time how late it is.
func (r *Runner) Freeze(ctx context.Context) (s Standing, thaw func(), err error) {
	goOn := make(chan struct{})
	answer := make(chan Standing, 1)
	r.send(func(l *loop) {
		if ctx.Err() != nil {
			return // nobody waits any more
		}
		l.flush() // what was decided before
		answer <- l.standing()
		<-goOn
		if l.record != nil && l.record.rec != nil {
			l.record.rec.Anew() // that process may have written, too
		}
	})
	select {
	case s = <-answer:
		return s, func() { close(goOn) }, nil
	case <-ctx.Done():
		close(goOn)
		return s, nil, context.Cause(ctx)
	case <-r.ended:
		return s, nil, ErrEnded
	}
}

// Resume ends that a Runner is held, and has it go on where another one stands still. What that one had no part in starts now.
func (r *Runner) Resume(s Standing) {
	r.send(func(l *loop) { l.resume(s) })
}

// standing returns what another process needs to go on.
func (l *loop) standing() Standing {
	l.now, _, _ = l.net.now()
	s := l.router.Standing(l.now)
	codecs := make(map[vrrp.Identity]vrrp.CodecStanding, len(l.instances))
	for _, in := range l.instances {
		codecs[in.Identity()] = in.codec.Standing()
	}
	for i := range s.Instances {
		s.Instances[i].Codec = codecs[s.Instances[i].Identity()]
	}
	return s
}

func (l *loop) resume(s Standing) {
	l.held = false
	l.now, _, l.slept = l.net.now()
	for i := range s.Instances {
		for _, in := range l.instances {
			if in.Identity() == s.Instances[i].Identity() {
				in.codec.Resume(s.Instances[i].Codec)
			}
		}
	}
	actions, resumed := l.router.Resume(l.now, s)
	for _, name := range resumed {
		l.named[name].started = true
	}
	l.do(actions)
	l.flush() // adverts wait for nothing
	for _, in := range l.instances {
		l.inform(in)
	}
}

// look tells once that all sockets are open that can be.
func (l *loop) look() {
	if l.ready == nil {
		return
	}
	for _, in := range l.instances {
		if in.why == "" && in.link.err == nil && in.link.socket == nil {
			return
		}
	}
	l.ready()
	l.ready = nil
}
