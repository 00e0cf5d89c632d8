package event

// Past is the events of a run, for another process that goes on with it under the same epoch.
type Past struct {
	Epoch string
	Last  uint64
	List  []Event // the latest, the oldest first
}

// Past returns what the ring remembers.
func (r *Ring) Past() Past {
	list, _ := r.After(r.oldest()-1, len(r.list))
	return Past{Epoch: r.epoch, Last: r.last, List: list}
}

// Resume returns the ring of a past, of so many events, or of fewer if the past has no more. One that can't be a past is an empty ring of the
// given epoch.
func Resume(p Past, epoch string, size int) *Ring {
	list := p.List[max(0, len(p.List)-size):]
	if !isEpoch(p.Epoch) || uint64(len(p.List)) > p.Last || len(list) == 0 {
		return NewRing(epoch, size)
	}
	r := NewRing(p.Epoch, size)
	if p.Last > uint64(len(list)) {
		r.size = len(list) // all places are taken
	}
	r.last, r.list = p.Last, make([]Event, len(list))
	for i, e := range list {
		e.Epoch, e.Sequence = p.Epoch, p.Last-uint64(len(list)-1-i)
		*r.at(e.Sequence) = e
	}
	return r
}
