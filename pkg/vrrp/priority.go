package vrrp

// contribution is what an object adds to the priority of who tracks it. A weight that may not change the priority has no
// effect at all.
func contribution(t Track, r Reading, weighted bool) Contribution {
	c := Contribution{Track: t, Reading: r, Ignored: t.Weight != 0 && !weighted}
	if !r.Known || c.Ignored {
		return c
	}
	if t.Kind == TrackFile {
		return c.ofFile()
	}
	switch {
	case t.Weight == 0:
		c.Fault = r.Up == t.Reverse
	case r.Up == (t.Weight > 0):
		c.Adds = t.Weight
		if t.Reverse {
			c.Adds = -c.Adds
		}
	}
	return c
}

// What the product of a file's number and its weight may be: keepalived's bounds.
const (
	fileFault = -254 // or less
	fileMost  = 253
)

// ofFile is the contribution of a file, whose number is multiplied by the weight.
func (c Contribution) ofFile() Contribution {
	value := c.Reading.Value
	if c.Track.Weight == 0 {
		c.Fault = (value != 0) != c.Track.Reverse
		return c
	}
	product := min(max(value, -1000), 1000) * c.Track.Weight // far out of bounds either way, and no overflow
	if c.Track.Reverse {
		product = -product
	}
	c.Adds = min(product, fileMost)
	if product <= fileFault {
		c.Adds, c.Fault = 0, true
	}
	return c
}

// With returns what the object would contribute if it read otherwise.
func (c Contribution) With(r Reading) Contribution { return contribution(c.Track, r, !c.Ignored) }

// waits tells whether an instance can't begin before the object has been looked at. Processes are counted and files read
// before in any case, as keepalived does, so that the first priority is the right one.
func (c Contribution) waits() bool {
	looks := !c.Ignored && (c.Track.Kind == TrackProcess || c.Track.Kind == TrackFile)
	return !c.Reading.Known && (c.Track.Weight == 0 || looks)
}

// EffectivePriority is the base and what all objects add to it, which only as a whole is brought into bounds.
func EffectivePriority(base uint8, contribs []Contribution) uint8 {
	if base == ownersPriority {
		return base
	}
	total := int(base)
	for _, c := range contribs {
		total += c.Adds
	}
	return uint8(min(max(total, 1), ownersPriority-1))
}
