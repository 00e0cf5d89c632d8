package config

import "github.com/ipvsd/ipvsd/pkg/health"

// quorum resolves what it takes for a virtual server to have clients.
func (r *resolver) quorum(b *block, vs *VirtualServer) {
	q := &vs.Quorum
	open := len(b.members) > 0 // nobody knows what all servers weigh
	needed, written := lookup[int64]("quorum", b)
	hysteresis, widened := lookup[int64]("hysteresis", b)
	*q = health.Quorum{Needed: needed, Hysteresis: hysteresis}
	var total int64
	weighted := 0
	for i := range vs.RealServers {
		total += int64(vs.RealServers[i].Destination.Weight)
		if vs.RealServers[i].Destination.Weight > 0 {
			weighted++
		}
	}
	if weighted > 0 && !open && q.Needed > total {
		q.Needed = total
		r.warn(written.at, "quorum counts the weights of live servers", "quorum %d is more than all real servers weigh: it is %d",
			needed, total)
	}
	if q.Hysteresis >= q.Needed {
		q.Hysteresis = q.Needed - 1
		r.warn(widened.at, "the quorum is lost below quorum - hysteresis", "hysteresis %d must be less than the quorum of %d: it is %d",
			hysteresis, q.Needed, q.Hysteresis)
	}
	if weighted > 0 && !open && q.Needed+q.Hysteresis > total {
		q.Hysteresis = total - q.Needed
		r.warn(widened.at, "the quorum is regained at quorum + hysteresis",
			"hysteresis %d and the quorum of %d are together more than all real servers weigh: it is %d",
			hysteresis, q.Needed, q.Hysteresis)
	}

	share, shared := lookup[health.Share]("minimum_healthy", b)
	vs.MinimumUp = share
	switch {
	case share == (health.Share{}) || shared.data == nil:
	case len(b.sorry) > 0:
		r.fail(shared.key, "leave one of them out", "minimum_healthy contradicts sorry_server: "+
			"when few servers are up the one gives clients to all of them, the other to none")
	case weighted > 1 && !open && share.Of(weighted) == weighted:
		r.warn(shared.at, "write less, such as \"50%\"", "with minimum_healthy of all %d servers no failure of one of them is believed",
			weighted)
	}
}
