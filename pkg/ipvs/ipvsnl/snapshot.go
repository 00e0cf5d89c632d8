package ipvsnl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// snapshotAttempts is how often a Snapshot begins before it gives up on a table that keeps changing.
const snapshotAttempts = 5

// Snapshot returns the whole table, sorted. See the package documentation for how consistent it is.
func (c *Client) Snapshot(ctx context.Context) (ipvs.Table, error) { return c.Read(ctx, nil) }

// Read returns all services, sorted, and the destinations of those that are in of; the others are marked as Unread. The
// services come in a few system calls, the destinations cost two for each service. With nil it is Snapshot.
func (c *Client) Read(ctx context.Context, of map[ipvs.ServiceKey]bool) (table ipvs.Table, err error) {
	err = c.call(ctx, "read table", func(family uint16) error {
		for range snapshotAttempts {
			if table, err = c.readTable(ctx, family, of); !errors.Is(err, errInterrupted) {
				return err
			}
		}
		return fmt.Errorf("%w, %d times in a row", err, snapshotAttempts)
	})
	if err != nil {
		return nil, err
	}
	return table, nil
}

// ReadServices returns the services with these keys, sorted, with their destinations; those that don't exist are missing. It
// costs a few system calls for each, however many others there are.
func (c *Client) ReadServices(ctx context.Context, keys []ipvs.ServiceKey) (table ipvs.Table, err error) {
	err = c.call(ctx, "read services", func(family uint16) error {
		for _, k := range keys {
			if table, err = c.appendService(ctx, family, table, k); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		table.Sort()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return table, nil
}

// appendService reads one service, and appends it if it exists.
func (c *Client) appendService(ctx context.Context, family uint16, table ipvs.Table, k ipvs.ServiceKey) (ipvs.Table, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var s ipvs.ServiceStatus
	c.buf.getService(family, c.newRequest(), k)
	err := c.exchange(ctx, family, func(b []byte) (err error) {
		s, err = decodeService(b)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return table, nil
	case err != nil:
		return nil, err
	}
	for range snapshotAttempts {
		s.Destinations, err = c.readDestinations(ctx, family, k, nil)
		if err == nil && twice(ipvs.Table{s}) {
			err = errInterrupted
		}
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	return append(table, s), err
}

// readTable reads the table once.
func (c *Client) readTable(ctx context.Context, family uint16, of map[ipvs.ServiceKey]bool) (ipvs.Table, error) {
	table, err := c.readServices(ctx, family)
	if err != nil {
		return nil, err
	}
	var scratch []ipvs.DestinationStatus
	empty := false
	for i := range table {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if table[i].Unread = of != nil && !of[table[i].ServiceKey]; table[i].Unread {
			continue
		}
		if scratch, err = c.readDestinations(ctx, family, table[i].ServiceKey, scratch[:0]); err != nil {
			return nil, fmt.Errorf("%s: %w", table[i].ServiceKey, err)
		}
		if len(scratch) == 0 {
			empty = true
			continue
		}
		table[i].Destinations = slices.Clone(scratch)
	}
	table.Sort()
	if twice(table) {
		return nil, errInterrupted
	}
	if !empty {
		return table, nil
	}
	// The kernel has the same answer for a service without destinations and for one that is gone.
	again, err := c.readServices(ctx, family)
	if err != nil {
		return nil, err
	}
	again.Sort()
	for i := range table {
		if len(table[i].Destinations) == 0 && !table[i].Unread && again.Find(table[i].ServiceKey) == nil {
			return nil, errInterrupted
		}
	}
	return table, nil
}

// twice says whether a sorted table has an entry more than once: one that moved while it was read.
func twice(t ipvs.Table) bool {
	for i := range t {
		if i > 0 && t[i].ServiceKey == t[i-1].ServiceKey {
			return true
		}
		d := t[i].Destinations
		for j := 1; j < len(d); j++ {
			if d[j].Addr == d[j-1].Addr {
				return true
			}
		}
	}
	return false
}

func (c *Client) readServices(ctx context.Context, family uint16) (ipvs.Table, error) {
	table := ipvs.Table{}
	c.buf.dumpServices(family, c.newRequest())
	err := c.exchange(ctx, family, func(b []byte) error {
		s, err := decodeService(b)
		table = append(table, s)
		return err
	})
	return table, err
}

// readDestinations appends the destinations of a service to d.
func (c *Client) readDestinations(
	ctx context.Context, family uint16, k ipvs.ServiceKey, d []ipvs.DestinationStatus,
) ([]ipvs.DestinationStatus, error) {
	c.buf.dumpDestinations(family, c.newRequest(), k)
	err := c.exchange(ctx, family, func(b []byte) error {
		s, err := decodeDestination(b, k.Family)
		s.Rank = len(d)
		d = append(d, s)
		return err
	})
	return d, err
}
