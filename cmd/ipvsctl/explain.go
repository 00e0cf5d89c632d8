package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/choice"
	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsproc"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func explainCommand(a *app) *cobra.Command {
	var stateDir string
	cmd := &cobra.Command{
		Use:   "explain CLIENT SERVICE",
		Short: "Say which server a client would get of a service, and why; needs no daemon",
		Long: `Say which server a client would get of a service, and why: by a connection that exists, by persistence, or by what the scheduler does
with the servers as they are. CLIENT is an address, or ADDRESS:PORT for one connection. The table and the connections are the kernel's.

How certain it is, is part of the answer. What sh, dh and mh hash is computed as the kernel does it; lc, wlc, sed, nq, fo and ovf follow from
the counters, until anybody's next connection. Whose turn it is under rr and wrr, what lblc remembers and what twos draws, the kernel
keeps to itself: then the servers that can be chosen are listed, with their shares.

ipvsctl explain vrrp is about virtual routers.
` + serviceForm,
		Args: files(0, 4),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			client, err := clientOf(args[0])
			if err != nil {
				return err
			}
			keys, err := services(args[1:])
			if err != nil {
				return err
			}
			if len(keys) != 1 {
				return fmt.Errorf("the form is %s: %w", cmd.UseLine(), errUsage)
			}
			if ipvs.FamilyOf(client.Addr()) != keys[0].Family {
				return fmt.Errorf("%s and %s are of different families: %w", client.Addr(), keys[0], errUsage)
			}
			answer, err := a.choice(cmd.Context(), stateDir, client, args[1:], keys[0])
			if err != nil {
				return err
			}
			return a.print(answer, func(w io.Writer, _ status.Style) error { return answer.Text(w) })
		},
	}
	cmd.Flags().StringVar(&stateDir, "state-dir", daemon.StateDir, "the daemon's `DIR`, read if it isn't running to tell what is its own")
	cmd.AddCommand(explainRoutersCommand(a))
	return cmd
}

func clientOf(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Addr().Zone() == "" {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address, with or without port: %w", s, errUsage)
	}
	return netip.AddrPortFrom(a.Unmap(), 0), nil
}

func (a *app) choice(ctx context.Context, stateDir string, client netip.AddrPort, words []string, key ipvs.ServiceKey) (*choice.Answer, error) {
	k, err := a.tableOf(ctx, stateDir, words)
	if err != nil {
		return nil, err
	}
	q := &choice.Question{Client: client, Service: k.Service(key)}
	bits := client.Addr().BitLen()
	if q.Service.Persistence > 0 {
		bits = int(q.Service.Granularity)
	}
	network, err := client.Addr().Prefix(bits)
	if err != nil {
		return nil, err
	}
	// Of one-packet services nothing is kept, but to look costs little.
	service := key
	if key.FWMark == 0 && key.Addr.Port() == choice.FTP {
		service.Addr = netip.AddrPortFrom(key.Addr.Addr(), 0)
	}
	for c, err := range a.connections(ctx, connection.Query{Service: service.String(), Client: network.String()}) {
		if err != nil {
			return nil, err
		}
		q.Connections = append(q.Connections, c)
	}
	if q.Sysctls, err = ipvsproc.Default.Sysctls(ctx); err != nil && !errors.Is(err, ipvs.ErrUnavailable) { // the daemon's is another kernel
		return nil, err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("release of the kernel: %w", err)
	}
	q.Release = unix.ByteSliceToString(name.Release[:])
	machine := unix.ByteSliceToString(name.Machine[:])
	q.Wide = strings.Contains(machine, "64") || slices.Contains([]string{"s390x", "alpha"}, machine)
	return choice.Explain(q), nil
}
