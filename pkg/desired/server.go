package desired

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Judge returns the verdict on a server by what is known of its checks.
func Judge(rs *config.RealServer, known func(health.ID) health.Checker) health.Verdict {
	if rs.Off {
		return health.Verdict{State: health.Down, Err: "off in the configuration"}
	}
	checks := make([]health.Checker, 0, 4) // few have more
	for _, id := range rs.Checks {
		checks = append(checks, known(id))
	}
	return health.Judge(rs.Needed, checks...)
}

// server is what decisions need to know of a server. There are as many as servers, so it is no more than that.
type server struct {
	state  health.State
	alive  bool // may have clients as far as its checks go
	off    bool // down on purpose
	quiet  bool // the operator wants it to keep its clients, but take no more
	mode   admin.Mode
	back   time.Time // when the operator last let it serve again
	weight int32     // configured, or what the operator wants instead, and advised; 0 unless the operator lets it serve
}

// judge comes to what is known of the servers of a virtual server, and notes when the operator's wishes about them will change.
func (o *Outcome) judge(vs *config.VirtualServer, servers []config.RealServer, f Facts) []server {
	list := make([]server, len(servers))
	for i := range servers {
		rs := &servers[i]
		wish := f.Wishes.On(rs.Destination.Addr, vs.Name, f.Now)
		if !wish.Until.IsZero() {
			o.changes(wish.Until)
		}
		if rs.Off && wish.Mode == admin.Drains {
			wish.Mode = admin.Serves // the configuration is stricter: it would not be in the table
		}
		list[i] = judgeOne(rs, Weight(rs, wish), f.Verdicts)
		list[i].quiet = wish.Mode == admin.Drains || !rs.Off && wish.Mode == admin.Serves && wish.Weighted && wish.Weight == 0
		list[i].back = wish.Returned
		if list[i].mode = wish.Mode; wish.Mode != admin.Serves {
			list[i].weight = 0
		}
	}
	return list
}

// Weight returns the weight of a server before its checks advise another: the operator's, or else the configuration's.
func Weight(rs *config.RealServer, wish admin.Effect) int32 {
	if wish.Weighted {
		return wish.Weight
	}
	return rs.Destination.Weight
}

// judgeOne comes to what Judge does, by less.
func judgeOne(rs *config.RealServer, weight int32, v Verdicts) server {
	if rs.Off {
		return server{state: health.Down, off: true, weight: weight}
	}
	var tally health.Tally
	advice := make([]health.Advice, 0, 4)
	for _, id := range rs.Checks {
		k := v[id].Standing // a Checker as a whole is large
		if k.State == health.Unchecked {
			k = v.Of(id).Standing
		}
		tally.Add(k)
		if k.Advice != (health.Advice{}) {
			advice = append(advice, k.Advice)
		}
	}
	return server{state: tally.State(rs.Needed), alive: tally.Alive(rs.Needed), weight: health.Advised(weight, advice...)}
}

// Passing returns a service as it is while a server of it drains: sh and mh pass over that one, whether they do so otherwise or not.
// It would have to leave the table, with its connections, or else its clients would be dropped. Dh can't.
func Passing(s ipvs.Service) ipvs.Service {
	switch s.Scheduler {
	case "sh":
		s.Flags |= ipvs.SHFallback
	case "mh":
		s.Flags |= ipvs.MHFallback
	}
	return s
}

// A slow start goes in so many steps, none of them shorter than slowStep.
const (
	slowSteps = 10
	slowStep  = time.Second
)

// slowStart returns the weight of a server that has been back for so long and is to have its full weight after a while, and in
// how long that weight changes; 0: it stays.
func slowStart(full int32, back, while time.Duration) (weight int32, next time.Duration) {
	if full <= 1 || back >= while {
		return full, 0
	}
	step := max(while/slowSteps, slowStep)
	steps, done := (while+step-1)/step, back/step
	weight = int32(int64(full) * int64(done+1) / int64(steps+1))
	return max(weight, 1), min((done+1)*step, while) - back
}
