package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// How often verdicts are written: no more often than rememberEvery, and so that it takes one part in rememberShare of a processor at most.
const (
	rememberEvery = time.Second
	rememberShare = 50
)

// memory is what the next process goes on from if this one is killed.
type memory struct {
	health.Records
	Quorums desired.Quorums
	Boot    string // during which it was written

	former bool // that was another boot than this one
}

// mostMemory is how long the record may be: many times what 100,000 checks take.
const mostMemory = 256 << 20

// memoir is how that is kept.
type memoir struct {
	recalled chan struct{}                   // closed when the checks can begin; see recall
	unkept   chan struct{}                   // verdicts are others than on the disk
	quorums  atomic.Pointer[desired.Quorums] // the newest
	cfg      atomic.Pointer[config.Config]   // likewise
	writing  sync.WaitGroup
	random   func() float64 // spreads probes over time
	size     int            // of the last record; remember's alone
}

func newMemoir() *memoir {
	return &memoir{recalled: make(chan struct{}), unkept: make(chan struct{}, 1), random: rand.Float64}
}

// turned has the verdicts be written: they are others than before.
func (m *memoir) turned() {
	select {
	case m.unkept <- struct{}{}:
	default:
	}
}

// remember keeps the verdicts on the disk until the context is done, and leaves the last ones there then. What a kill finds unwritten is no harm:
// see desired.Recall.
func (o *owner) remember(ctx context.Context) {
	for {
		select {
		case <-o.memoir.unkept:
		case <-ctx.Done():
			select {
			case <-o.memoir.unkept: // a stop may take the table away, which would disprove what is too old
				o.keepVerdicts(time.Now())
			default:
			}
			return
		}
		start := time.Now()
		o.keepVerdicts(start)
		select {
		case <-time.After(max(rememberEvery, rememberShare*time.Since(start))):
		case <-ctx.Done():
		}
	}
}

func (o *owner) keepVerdicts(now time.Time) {
	m := memory{Records: health.Records{KeyForm: health.KeyForm}}
	m.Boot, _ = uptime()
	if q := o.memoir.quorums.Load(); q != nil {
		m.Quorums = *q
	}
	frame, _ := json.Marshal(m)                          // all of it has a form
	before, after, _ := bytes.Cut(frame, []byte("null")) // where the records are
	text := bytes.NewBuffer(make([]byte, 0, o.memoir.size+o.memoir.size/8))
	text.Write(before)
	o.board.write(text, o.memoir.cfg.Load(), now)
	text.Write(after)
	o.memoir.size = text.Len()
	o.keeper.putText(o.files.memory, text.Bytes(), "after a kill, verdicts have a new date, and servers that are being held or start slowly do so no more")
}

// write writes the records of all checks that have come to a verdict, as JSON, one after the other: there may be 100,000. Their histories are too
// much for what they would tell.
func (b *board) write(text *bytes.Buffer, cfg *config.Config, now time.Time) {
	encoder, next := json.NewEncoder(text), byte('{')
	for id, subject := range cfg.Subjects() {
		b.mu.Lock()
		p, known := b.checks[id]
		var c health.Checker
		if known {
			c = p.checker
		}
		b.mu.Unlock()
		if !known || c.State == health.Unchecked {
			continue
		}
		if p.key == "" {
			p.key = id.Check().Key()
		}
		r := c.Record(health.History{}, now)
		r.Subject, r.Next, r.Jitter = subject, time.Time{}, 0 // a start has its own of these
		text.WriteByte(next)
		next = ','
		text.WriteString(`"` + p.key + `":`)
		_ = encoder.Encode(&r) // all of it has a form
	}
	if next == '{' {
		text.WriteByte('{')
	}
	text.WriteByte('}')
}

// readMemory returns what the last process knew; an absent record is nothing.
func (f files) readMemory() (m memory, err error) {
	info, err := os.Stat(f.memory)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil && info.Size() > mostMemory {
		err = fmt.Errorf("%s has %d bytes, more than %d: it is no record of ours", f.memory, info.Size(), mostMemory)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(f.memory)
	}
	if err == nil {
		if err = json.Unmarshal(text, &m); err != nil {
			m, err = memory{}, fmt.Errorf("%s: %w", f.memory, err)
		}
	}
	boot, _ := uptime()
	m.former = m.Boot != boot
	return m, err
}

// recallMemory is readMemory for a start, which matters more.
func (f files) recallMemory(log *slog.Logger) memory {
	m, err := f.readMemory()
	if err != nil {
		log.Warn("the verdicts of the last run can't be read: servers stay as they are found until they are checked", "file", f.memory, "err", err)
	}
	return m
}

// recall returns facts with what a start goes on from: what of the memory holds by the table, and the doubts that this one raises.
//
// After a boot the table is empty and disproves no verdict that a server is down, which may have stood for the network of this machine that went
// down with it: the server would wait for its whole hold. So it is doubted only, neither held nor presumed alive: the
// checks of this boot bring it back. Quorums begin anew.
func (m memory) recall(cfg *config.Config, f desired.Facts, table ipvs.Table, jitter func() float64) desired.Facts {
	f.Verdicts, f.Quorums = make(desired.Verdicts), maps.Clone(m.Quorums)
	if m.former {
		f.Quorums = nil
	}
	if len(m.Checks) > 0 {
		for id, r := range m.Of(cfg.Subjects()) {
			c := id.Check()
			switch {
			case !m.former:
				f.Verdicts[id] = r.Recall(c.Policy, f.Now, jitter())
			case r.State == health.Down:
				f.Verdicts[id] = health.New(c.Policy, f.Now, jitter()).Doubt(f.Now)
			}
		}
	}
	for id := range desired.Recall(cfg.VirtualServers, f, table) {
		if _, known := f.Verdicts[id]; !known {
			f.Verdicts[id] = health.New(id.Check().Policy, f.Now, jitter()).Doubt(f.Now)
		}
	}
	return f
}

// recall goes on, before the first round, from the verdicts of the last run and from the table, whoever left it. The checks begin after it.
func (o *owner) recall(ctx context.Context) {
	defer close(o.memoir.recalled)
	if o.options.Inheritance != nil {
		return // it was told
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	table, err := o.kernel.Read(ctx, nil)
	if err != nil {
		table = ipvs.Table{} // the first round says so; without it nothing is disproved, which is better than to know nothing
	}
	f := o.files.recallMemory(o.log).recall(o.cfg, o.facts(nil), table, o.memoir.random)
	for id, c := range f.Verdicts {
		o.verdicts[id] = c
		o.board.adopt(id, c, health.History{})
	}
	for name, q := range f.Quorums {
		if _, ours := o.quorums[name]; ours {
			o.quorums[name] = q
		}
	}
	o.checks.Adopt(f.Verdicts)
	clear(o.outcomes)
	o.stale = true
}
