package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// serviceForm is how services are named on the command line.
const serviceForm = `A SERVICE is written as it is printed, with or without quotes: tcp 192.0.2.1:80, "fwmark 7 inet6".`

// services reads the services that are named on the command line.
func services(args []string) (keys []ipvs.ServiceKey, err error) {
	words := strings.Fields(strings.Join(args, " "))
	for len(words) > 0 {
		n := min(2, len(words))
		if len(words) > n && words[0] == "fwmark" && words[n] == ipvs.IPv6.String() {
			n++
		}
		key, err := ipvs.ParseServiceKey(strings.Join(words[:n], " "))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, errUsage)
		}
		keys = append(keys, key)
		words = words[n:]
	}
	return keys, nil
}

// table returns the kernel's table, or the services of it that are named: the daemon's, or else that of this network namespace.
func (a *app) table(ctx context.Context, stateDir string, keys []ipvs.ServiceKey) (*status.Kernel, error) {
	k, err := a.client().Table(ctx, keys)
	if errors.Is(err, control.ErrNotRunning) {
		return daemon.Table(ctx, stateDir, keys)
	}
	return k, err
}

// tableOf is table where all services that are named have to be there.
func (a *app) tableOf(ctx context.Context, stateDir string, args []string) (*status.Kernel, error) {
	keys, err := services(args)
	if err != nil {
		return nil, err
	}
	k, err := a.table(ctx, stateDir, keys)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if k.Service(key) == nil {
			return nil, fmt.Errorf("%s is not in the kernel's table: ipvsctl stats shows what is", key)
		}
	}
	return k, nil
}
