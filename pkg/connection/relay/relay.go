// Package relay tells other directors of the connections of this one while a virtual router moves between them.
//
// The kernel's own sync daemon tells of a connection with its third packet, and then when a buffer is full or two seconds old. The
// director that takes over lacks what is younger: it answers the client's next packet with a reset. So this package reads the
// connection table itself and sends it in the kernel's format, all of it once and then what is new, until the neighbours have learned
// where the addresses are. The other side needs nothing for that but its kernel's sync daemon in the role of a backup.
//
// Reading a large table takes its time (package connection): half of the time nothing is read, and who asks for all to be told
// need not wait for it. A Relay has the goroutine of its Run, and so has a Sweeper, which is for the time as a backup.
package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

const (
	// pause is how long nothing is read at least, and share is that it is so for that many times as long as the last
	// reading took.
	pause, share = 20 * time.Millisecond, 1
	// burst is how many packets are sent before there is a breath: a kernel takes some 90 into its socket's buffer.
	burst, breath = 32, 2 * time.Millisecond
	// least is how often the table is read at least: a list of one that changes lacks some entries.
	least = 5
	// whole is how long a table may take that is to be told whole, even if the time to tell of it is over by then.
	whole = 2 * time.Second
)

// Setup is what a Relay needs to know of the configuration.
type Setup struct {
	// Daemon is the kernel's sync daemon in the role of master, whose packets are imitated. Without an interface nothing is told.
	Daemon ipvs.SyncDaemon
	// Methods are how servers are reached, by address and port, and by port 0 of those that have that of the service.
	Methods map[netip.AddrPort]ipvs.Forward
}

func (s *Setup) method(server netip.AddrPort) (method ipvs.Forward, known bool) {
	if method, known = s.Methods[server]; !known {
		method, known = s.Methods[netip.AddrPortFrom(server.Addr(), 0)]
	}
	return method, known
}

// Relay tells of connections. New starts nothing, Run does; the other methods may be called at any time.
type Relay struct {
	log  *slog.Logger
	open func() (io.ReadCloser, error)
	dial func(d ipvs.SyncDaemon) (io.WriteCloser, error)
	wake chan struct{}

	mu      sync.Mutex // held for no longer than a look
	setup   Setup
	until   time.Time
	anew    bool            // all is to be told again
	owed    int             // so often at least the table is to be read, even if until is over by then
	waiting []chan struct{} // closed when all has been told
}

// New returns a Relay of the connections that open reads, as in /proc/net/ip_vs_conn.
func New(log *slog.Logger, open func() (io.ReadCloser, error)) *Relay {
	return newRelay(log, open, dial)
}

func newRelay(log *slog.Logger, open func() (io.ReadCloser, error), dial func(ipvs.SyncDaemon) (io.WriteCloser, error)) *Relay {
	return &Relay{log: log, open: open, dial: dial, wake: make(chan struct{}, 1)}
}

// Change makes a setup the one in force, for what is told from now on.
func (r *Relay) Change(s Setup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setup = s
}

// Begin has connections told for so long from now, in place of what was said before: first all of them, unless that was begun before and
// goes on, then those that are new or change. It does not block.
func (r *Relay) Begin(long time.Duration) {
	r.mu.Lock()
	now := time.Now()
	r.anew = r.anew || !now.Before(r.until) // what has been told might undo what the other director knows better by now
	r.until, r.owed = now.Add(long), least
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Tell is Begin, and returns when all has been told or can't be, or the context is done.
func (r *Relay) Tell(ctx context.Context, long time.Duration) {
	told := make(chan struct{})
	r.mu.Lock()
	if r.setup.Daemon.Interface == "" {
		r.mu.Unlock()
		return
	}
	r.waiting = append(r.waiting, told)
	r.mu.Unlock()
	r.Begin(long)
	select {
	case <-told:
	case <-ctx.Done():
	}
}

// Run tells of connections, when it is asked to, until the context is done. It works in the network namespace of the process.
func (r *Relay) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		if err := r.tell(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("connections under way could not be told to the other director; some may not survive", "err", err)
			_, waiting := r.next()
			release(waiting) // it does not get better
		}
	}
}

// at returns what is to be told, and until when; ok is false if nothing is.
func (r *Relay) at() (s Setup, until time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.setup, r.until, r.setup.Daemon.Interface != "" && (r.owed > 0 || time.Now().Before(r.until))
}

// next returns whether all is to be told the next time, and who waits for that.
func (r *Relay) next() (anew bool, waiting []chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	anew, waiting = r.anew, r.waiting
	r.anew, r.waiting, r.owed = false, nil, max(0, r.owed-1)
	return anew, waiting
}

func release(waiting []chan struct{}) {
	for _, w := range waiting {
		close(w)
	}
}

// tell tells of connections for as long as it was asked to.
func (r *Relay) tell(ctx context.Context) (err error) {
	s, _, ok := r.at()
	if !ok {
		return nil
	}
	to, err := r.dial(s.Daemon)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	began, told, entries := time.Now(), make(map[key]value), 0
	for {
		s, until, ok := r.at()
		if !ok || ctx.Err() != nil {
			break
		}
		start := time.Now()
		anew, waiting := r.next()
		if end := start.Add(whole); end.After(until) {
			until = end
		}
		if anew {
			clear(told)
		}
		pass := pass{Setup: &s, to: to, told: told, until: until, message: connection.NewSyncMessage(s.Daemon.SyncID, int(s.Daemon.MaxLen))}
		err := r.pass(ctx, &pass)
		release(waiting)
		if err != nil {
			return err
		}
		entries += pass.entries
		select {
		case <-ctx.Done():
		case <-r.wake: // at once, for time is short
		case <-time.After(max(pause, share*time.Since(start))):
		}
	}
	r.log.Debug("connections were told to the other director", "entries", entries, "time", time.Since(began).Round(time.Millisecond))
	return nil
}

// key is what an entry of the table is found by, value what is told again if it changes.
type key struct {
	protocol        string
	client, virtual netip.AddrPort
}

type value struct {
	server netip.AddrPort
	state  string
}

// pass is the table being read once.
type pass struct {
	*Setup
	to      io.Writer
	told    map[key]value
	until   time.Time
	message *connection.SyncMessage
	packets int
	entries int
}

func (r *Relay) pass(ctx context.Context, p *pass) error {
	table, err := r.open()
	if err != nil {
		return err
	}
	defer func() { _ = table.Close() }()
	lines := 0
	for c, err := range connection.Read(table) {
		if line := (*connection.LineError)(nil); errors.As(err, &line) {
			continue // what isn't understood is another kernel's news
		}
		if err != nil {
			return err
		}
		if err := p.add(ctx, &c); err != nil {
			return err
		}
		if lines++; lines%1024 == 0 && time.Now().After(p.until) {
			break
		}
	}
	return p.flush(ctx)
}

// add tells of an entry, if that is news.
func (p *pass) add(ctx context.Context, c *connection.Connection) error {
	k, v := key{c.Protocol, c.Client, c.Virtual}, value{c.Server, c.State}
	method, known := p.method(c.Server)
	if !c.Syncable() || !known || p.told[k] == v {
		return nil
	}
	if _, told := p.told[k]; c.Ended() && !told {
		return nil // the other one has no use for it, and does not know it, or as ended: see Sweeper
	}
	p.told[k] = v
	p.entries++
	if p.message.Add(c, method) {
		return nil
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	p.message.Add(c, method) // one that has no room in any message is not told
	return nil
}

// flush sends what there is.
func (p *pass) flush(ctx context.Context) error {
	if p.message.Len() == 0 {
		return nil
	}
	if _, err := p.to.Write(p.message.Bytes()); err != nil {
		return err
	}
	p.message.Clear()
	if p.packets++; p.packets%burst == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(breath):
		}
	}
	return nil
}
