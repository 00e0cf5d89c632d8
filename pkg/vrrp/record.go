package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"slices"
	"time"
)

// Record is what a router keeps up to date for a process that comes after one that was killed, in bytes that lie where such a process can read
// them: which instances are active, when each of them said so last, and what their priorities depend on. Every entry has its own checksum, so
// that a write that was cut off costs one entry. Times are those since the machine booted, suspended or not.
//
//	header   0 magic, 8 boot, 24 instances, 28 objects, 32 zero, 60 checksum
//	instance 0 mark, 8 sent, 16 since, 24 stamp, 32 sequence, 36 ID of IP, 38 priority, 40 went on, 48 zero, 60 checksum
//	object   0 mark, 8 value, 16 known, 17 up, 18 zero, 60 checksum
type Record struct {
	image    []byte
	from, to int // what of it was changed
	count    int // of instances
	places   map[Object]int
}

// BootID is that of a boot of the machine.
type BootID [16]byte

const (
	recordMagic = "ipvsdVR1"
	entryLen    = 64
	sumAt       = entryLen - 4
	// mostRecorded is how many instances, and how many objects, a record has at most.
	mostRecorded = 4096
	// MaxRecord is how long a record is at most, in bytes.
	MaxRecord = (1 + 2*mostRecorded) * entryLen
)

// Recorded is what a record has of an instance.
type Recorded struct {
	mark     uint64
	Sent     time.Duration // the last advert
	Since    time.Duration // it is active
	WentOn   time.Duration // it is so in this process, because of a record; 0: not because of one
	Priority uint8         // effective; 0: it is not active
	Codec    CodecStanding
}

// Mark tells a configuration of an instance from another one. A process goes on only with what it would say to other routers itself.
func (in *Instance) Mark() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %d %d %v %q %q %q %q ", in.Name, in.VRID, in.Version, in.IPv6, in.Interface, in.Base, in.Parent, in.VRF)
	fmt.Fprintf(h, "%d %v %d %v %v %v %v ", in.Priority, in.AdvertInterval, in.DownTimerAdverts, in.Source, in.Multicast, in.Peers, in.Addresses)
	fmt.Fprintf(h, "%d %v %q", in.Auth.Type, in.HMAC != nil, in.Group)
	return h.Sum64()
}

func (o Object) mark() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q", o.Kind, o.Name)
	return h.Sum64()
}

// Record returns a new one for the configuration. No instance is active in it.
func (r *Router) Record(boot BootID) *Record {
	var tracked []Object
	for o, known := range r.objects {
		if known.trackers != nil && len(tracked) < mostRecorded {
			tracked = append(tracked, o)
		}
	}
	n := min(len(r.ordered), mostRecorded)
	rec := &Record{image: make([]byte, (1+n+len(tracked))*entryLen), count: n, places: make(map[Object]int, len(tracked))}
	rec.to = len(rec.image)
	copy(rec.image, recordMagic)
	copy(rec.image[8:], boot[:])
	binary.LittleEndian.PutUint32(rec.image[24:], uint32(n))
	binary.LittleEndian.PutUint32(rec.image[28:], uint32(len(tracked)))
	rec.sum(0)
	for i := range n {
		r.Enter(rec, i, time.Time{}, r.now, 0, CodecStanding{})
	}
	for i, o := range tracked {
		rec.places[o] = 1 + n + i
		rec.Observe(o, r.objects[o].Reading)
	}
	return rec
}

// Enter brings a record up to date on an instance, by its place in the file: sent is when its last advert left, zero that none did. Up is for how
// long the machine has been up now.
func (r *Router) Enter(rec *Record, place int, sent, now time.Time, up time.Duration, codec CodecStanding) {
	if place >= rec.count {
		return
	}
	m := r.ordered[place]
	e := rec.entry(1 + place)
	binary.LittleEndian.PutUint64(e, m.mark)
	if m.state == Active && !m.entering && !m.handing && !sent.IsZero() {
		binary.LittleEndian.PutUint64(e[8:], uint64(up-now.Sub(sent)))
		binary.LittleEndian.PutUint64(e[16:], uint64(max(up-now.Sub(m.since), 0)))
		binary.LittleEndian.PutUint64(e[24:], codec.Stamp)
		binary.LittleEndian.PutUint32(e[32:], codec.Sequence)
		binary.LittleEndian.PutUint16(e[36:], codec.ID)
		e[38] = m.effective
		if !m.wentOn.IsZero() {
			binary.LittleEndian.PutUint64(e[40:], uint64(max(up-now.Sub(m.wentOn), 1)))
		}
	}
	rec.sum(1 + place)
}

// Observe brings it up to date on an object that somebody tracks.
func (rec *Record) Observe(o Object, reading Reading) {
	place, tracked := rec.places[o]
	if !tracked {
		return
	}
	e := rec.entry(place)
	binary.LittleEndian.PutUint64(e, o.mark())
	binary.LittleEndian.PutUint64(e[8:], uint64(reading.Value))
	e[16], e[17] = bit(reading.Known), bit(reading.Up)
	rec.sum(place)
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// entry returns one that is empty.
func (rec *Record) entry(n int) []byte {
	e := rec.image[n*entryLen:][:entryLen]
	clear(e)
	return e
}

// sum ends a change of an entry.
func (rec *Record) sum(n int) {
	at := n * entryLen
	binary.LittleEndian.PutUint32(rec.image[at+sumAt:], crc32.ChecksumIEEE(rec.image[at:][:sumAt]))
	if rec.from == rec.to {
		rec.from, rec.to = at, at
	}
	rec.from, rec.to = min(rec.from, at), max(rec.to, at+entryLen)
}

// Changed returns what is to be written, and where, since it was called before. It is good until the next change.
func (rec *Record) Changed() (text []byte, at int) {
	text, at = rec.image[rec.from:rec.to], rec.from
	rec.from, rec.to = 0, 0
	return text, at
}

// Anew has all be written again.
func (rec *Record) Anew() { rec.from, rec.to = 0, len(rec.image) }

// Remains are what a process finds of a Record.
type Remains struct {
	Boot      BootID
	instances map[uint64]Recorded // that were active
	objects   map[uint64]Reading
}

// ParseRecord reads one. Entries that are no good, or are there twice, do not count.
func ParseRecord(text []byte) (*Remains, error) {
	if len(text) < entryLen || len(text) > MaxRecord || string(text[:8]) != recordMagic || !summed(text) {
		return nil, errors.New("it is no record of virtual routers")
	}
	count, objects := binary.LittleEndian.Uint32(text[24:]), binary.LittleEndian.Uint32(text[28:])
	if count > mostRecorded || objects > mostRecorded || int(1+count+objects)*entryLen > len(text) {
		return nil, fmt.Errorf("it has %d bytes, too few for %d instances and %d objects", len(text), count, objects)
	}
	r := &Remains{Boot: BootID(text[8:24]), instances: make(map[uint64]Recorded), objects: make(map[uint64]Reading)}
	seen := make(map[uint64]bool)
	for n := range count {
		e := text[(1+n)*entryLen:][:entryLen]
		i := Recorded{
			mark: binary.LittleEndian.Uint64(e), Priority: e[38],
			Sent: time.Duration(binary.LittleEndian.Uint64(e[8:])), Since: time.Duration(binary.LittleEndian.Uint64(e[16:])),
			WentOn: time.Duration(binary.LittleEndian.Uint64(e[40:])),
			Codec: CodecStanding{
				Stamp: binary.LittleEndian.Uint64(e[24:]), Sequence: binary.LittleEndian.Uint32(e[32:]), ID: binary.LittleEndian.Uint16(e[36:]),
			},
		}
		switch {
		case !summed(e):
		case seen[i.mark]:
			delete(r.instances, i.mark)
		default:
			if seen[i.mark] = true; i.Priority > 0 && 0 <= i.Since && i.Since <= i.Sent {
				r.instances[i.mark] = i
			}
		}
	}
	for n := range objects {
		if e := text[(1+count+n)*entryLen:][:entryLen]; summed(e) && e[16] == 1 {
			r.objects[binary.LittleEndian.Uint64(e)] = Reading{Known: true, Up: e[17] == 1, Value: int(int64(binary.LittleEndian.Uint64(e[8:])))}
		}
	}
	return r, nil
}

func summed(entry []byte) bool {
	return binary.LittleEndian.Uint32(entry[sumAt:]) == crc32.ChecksumIEEE(entry[:sumAt])
}

// trust is for how long after its last advert an active router is what other routers take it for: until the first of their Active_Down_Timers could
// end, but for its skew, and a part of the interval more for a start that is slow just then.
func (in *Instance) trust() time.Duration {
	return time.Duration(min(in.DownTimerAdverts, 3))*in.AdvertInterval - in.AdvertInterval/4
}

// proven is for how long who went on has to live before another one goes on after it: if ipvsd dies soon after each start, another router has to
// take over. That is also so where it hangs, and the watchdog of systemd ends it every 30 s.
func (in *Instance) proven() time.Duration { return max(10*in.AdvertInterval, time.Minute) }

// left is for how long the record of an instance can be gone by.
func (r *Remains) left(in *Instance, mark uint64, up time.Duration) (i Recorded, left time.Duration) {
	i, active := r.instances[mark]
	if !active || i.Sent > up || i.WentOn != 0 && i.Sent-i.WentOn < in.proven() {
		return i, 0
	}
	return i, in.trust() - (up - i.Sent)
}

// Left returns for how long at most one of the instances can go on as it was. Zero: none can.
func (r *Remains) Left(instances []Instance, up time.Duration) (longest time.Duration) {
	for i := range instances {
		_, left := r.left(&instances[i], instances[i].Mark(), up)
		longest = max(longest, left)
	}
	return longest
}

// Codec returns what the next packet of an instance depends on. What was sent after the last entry is left out.
func (r *Remains) Codec(in *Instance) CodecStanding {
	const unseen = 64
	s := r.instances[in.Mark()].Codec
	s.ID, s.Sequence, s.Stamp = s.ID+unseen, s.Sequence+unseen, s.Stamp+unseen
	return s
}

// Recover has instances that have not been started be active at once because they were so when a process was killed, and returns which: the others
// need their Startup. An instance goes on if no other router can have missed it, none was heard since this one listens, and fit, which knows the
// host, says so; a sync group if all its members do. It must come after Change with the configuration.
func (r *Router) Recover(now time.Time, up time.Duration, remains *Remains, fit func(instance string) bool) (actions []Action, resumed []string) {
	found := make(map[*machine]Recorded)
	for _, m := range r.ordered {
		i, left := remains.left(&m.Instance, m.mark, up)
		if left > 0 && !m.started && !m.atFault() && m.own().IsValid() && len(m.peers) == 0 && fit(m.Name) {
			found[m] = i
		}
	}
	var s Standing
	at := func(t time.Duration) time.Time { return now.Round(0).Add(t - up) }
	for _, u := range r.units {
		if len(u.members) == 0 || slices.ContainsFunc(u.members, func(m *machine) bool { _, good := found[m]; return !good }) {
			for _, m := range u.members {
				delete(found, m)
			}
			continue
		}
		since := now
		for _, m := range u.members {
			i, id := found[m], m.Identity()
			since = at(i.Since)
			s.Instances = append(s.Instances, InstanceStanding{
				VRID: id.vrid, IPv6: id.ipv6, Where: id.where, State: Active, Since: since, Source: m.source, Reason: whyWentOn(up - i.Sent),
			})
		}
		if u.Name != "" {
			s.Groups = append(s.Groups, GroupStanding{Name: u.Name, State: Active, Since: since, Reason: "its members went on"})
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	for o, known := range r.objects {
		starts := func(m *machine) bool { _, on := found[m]; return !on && m.awaits(o) } // and it has to look first
		if !slices.ContainsFunc(known.trackers, starts) {
			s.Objects = append(s.Objects, Observed{o, remains.objects[o.mark()]})
		}
	}
	_, resumed = r.Resume(now, s)
	for _, m := range r.ordered {
		if i, on := found[m]; on && m.state == Active {
			m.wentOn = now
			r.emit(WentOn{m.Name, m.effective, up - i.Sent})
		}
	}
	return r.actions, resumed
}

// awaits tells whether it can't begin before an object has been looked at.
func (m *machine) awaits(o Object) bool {
	return slices.ContainsFunc(m.contribs, func(c Contribution) bool { return c.Track.Object == o && c.waits() })
}

// whyWentOn is the reason of who was active before its process was killed.
func whyWentOn(silent time.Duration) string {
	return fmt.Sprintf("went on: its last advert had been %v before, and nobody missed it", silent.Round(time.Millisecond))
}
