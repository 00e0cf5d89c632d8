package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// connectionTable is where the kernel shows the connections of this network namespace.
const connectionTable = "/proc/net/ip_vs_conn"

// Connections reads those entries of the kernel's connection table that a query asks for, as control.Backend has it. It needs
// no daemon. The network namespace is the process's.
func Connections(ctx context.Context, q connection.Query) iter.Seq2[connection.Connection, error] {
	return connectionsIn(ctx, connectionTable, q)
}

// Connections is the function of this name, in the goroutine of whoever asks: the owner's has better things to do.
func (o *owner) Connections(ctx context.Context, q connection.Query) iter.Seq2[connection.Connection, error] {
	return Connections(ctx, q)
}

func connectionsIn(ctx context.Context, path string, q connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		f, err := q.Filter()
		if err != nil {
			yield(connection.Connection{}, err)
			return
		}
		table, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s isn't there: %w", path, ipvs.ErrUnavailable)
		}
		if err != nil {
			yield(connection.Connection{}, err)
			return
		}
		defer func() { _ = table.Close() }()
		for c, err := range connection.Read(table) {
			err = cmp.Or(ctx.Err(), err)
			if err == nil && !f.Match(&c) {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}
