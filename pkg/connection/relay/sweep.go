package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

const (
	// sweepPause is how long the table is left alone at least after it was swept, and sweepShare is that it is so for that many times as
	// long as that took.
	sweepPause, sweepShare = 2 * time.Second, 50
	// sweepWhole is how long one sweep takes at most.
	sweepWhole = 5 * time.Second
	// sweepLen is the payload of a packet that every sync daemon takes, in bytes.
	sweepLen = 1024
	// sweepLines is after how many lines of the table what is known is told at the latest: an entry may come to life again meanwhile, when
	// its client uses the port again and the active director tells of it, and is not to be ended then.
	sweepLines = 1024
)

// A Sweeper takes connections that have ended out of the table of a director that is a backup.
//
// The kernel keeps an ended connection for two minutes. Where its client uses the port again meanwhile, the director that is active
// balances the new one, and a backup that takes over before it heard of that sends its packets to the old one's server, which resets it.
// A backup that has forgotten the old one knows that it does not know the new one.
//
// There is no message to the kernel that removes an entry. So its own sync daemon hears that these end in a second, in packets that do
// not leave the host.
type Sweeper struct {
	log  *slog.Logger
	open func() (io.ReadCloser, error)
	dial func(d ipvs.SyncDaemon) (io.WriteCloser, error)
	wake chan struct{}

	mu     sync.Mutex // held for no longer than a look
	daemon ipvs.SyncDaemon
}

// NewSweeper returns a Sweeper of the connections that open reads, as in /proc/net/ip_vs_conn. It starts nothing, Run does.
func NewSweeper(log *slog.Logger, open func() (io.ReadCloser, error)) *Sweeper {
	return newSweeper(log, open, dial)
}

func newSweeper(log *slog.Logger, open func() (io.ReadCloser, error), dial func(ipvs.SyncDaemon) (io.WriteCloser, error)) *Sweeper {
	return &Sweeper{log: log, open: open, dial: dial, wake: make(chan struct{}, 1)}
}

// Follow says which sync daemon runs here in the role of a backup while nothing is balanced here. Without an interface there is none,
// and nothing is swept. It does not block.
func (s *Sweeper) Follow(d ipvs.SyncDaemon) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d == s.daemon {
		return
	}
	s.daemon = d
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Sweeper) followed() ipvs.SyncDaemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.daemon
}

// Run sweeps until the context is done. It works in the network namespace of the process.
func (s *Sweeper) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	warned := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		d := s.followed()
		if d.Interface == "" {
			timer.Stop()
			continue
		}
		start := time.Now()
		swept, err := s.sweep(d)
		if failed := err != nil; failed != warned {
			if warned = failed; failed {
				s.log.Warn("ended connections can't be forgotten; clients that use a port again may be reset at a failover", "err", err)
			}
		}
		if took := time.Since(start); swept > 0 {
			s.log.Debug("ended connections were forgotten", "entries", swept, "time", took.Round(time.Millisecond))
		}
		timer.Reset(max(sweepPause, sweepShare*time.Since(start)))
	}
}

// sweep reads the table once.
func (s *Sweeper) sweep(d ipvs.SyncDaemon) (swept int, err error) {
	d.TTL = 0 // for this host only
	table, err := s.open()
	if err != nil {
		return 0, err
	}
	defer func() { _ = table.Close() }()
	var to io.WriteCloser
	message := connection.NewSyncMessage(d.SyncID, sweepLen)
	flush := func() error {
		if message.Len() == 0 || s.followed().Interface == "" {
			return nil
		}
		if to == nil {
			if to, err = s.dial(d); err != nil {
				return err
			}
		}
		swept += message.Len()
		_, err := to.Write(message.Bytes())
		message.Clear()
		return err
	}
	defer func() {
		if to != nil {
			err = errors.Join(err, to.Close())
		}
	}()
	end, lines := time.Now().Add(sweepWhole), 0
	for c, err := range connection.Read(table) {
		if line := (*connection.LineError)(nil); errors.As(err, &line) {
			continue
		}
		if err != nil {
			return swept, err
		}
		if lines++; lines%sweepLines == 0 {
			if time.Now().After(end) {
				break
			}
			if err := flush(); err != nil {
				return swept, err
			}
		}
		if !c.Ended() || !c.Syncable() {
			continue
		}
		c.Expires = 0
		if !message.Add(&c, ipvs.NAT) { // the entry keeps its method
			if err := flush(); err != nil {
				return swept, err
			}
			message.Add(&c, ipvs.NAT)
		}
	}
	err = flush()
	return swept, err
}
