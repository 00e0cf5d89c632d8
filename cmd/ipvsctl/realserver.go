package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/realserver"
	"github.com/ipvsd/ipvsd/pkg/realserver/realserverhost"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// realServer is what the verbs about real servers are told.
type realServer struct {
	addrs    []string
	method   string
	link     string
	stateDir string
	dry      bool
}

func realserverCommand(a *app) *cobra.Command {
	var r realServer
	cmd := &cobra.Command{
		Use:   "realserver",
		Short: "Make this machine a real server of DR or TUN, or put it back as it was",
		Long: `Make this machine a real server of DR or TUN: it takes packets for the service's address, and its neighbours don't learn that it has
it. Run it on the real server. It needs no ipvsd there, and none at all for servers under NAT: those need a route back through the director.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	prepare := &cobra.Command{
		Use:   "prepare --vip ADDRESS...",
		Short: "Put the service's address onto this machine, and keep it silent about it",
		Long: `Put the service's address onto this machine, and keep it silent about it. What is so already is left alone, so that it can be run again.

IPv4: arp_ignore is 1 and arp_announce 2 at least, for all interfaces and each Ethernet one, then the address is put onto lo with all 32 bits.
IPv6: the address is put onto lo with all 128 bits, without duplicate detection (the director has it), and deprecated, so that it is
nobody's source; nothing else is needed. Under TUN the kernel's own tunnel interface, tunl0 or ip6tnl0, is brought up and has the address, and
tunl0 a loose rp_filter: what comes out of it has come in by another way than the answers leave. That is for tunnels of the type ipip, with
addresses of one family.

What was before is kept in the state directory, for undo. All of it lasts until the machine starts again: the files that keep it are printed.`,
		Args: files(0, 0),
		RunE: func(*cobra.Command, []string) error { return a.prepare(&r) },
	}
	verify := &cobra.Command{
		Use:   "verify --vip ADDRESS...",
		Short: "Say what this machine lacks to be a real server, and change nothing",
		Long: `Say what this machine lacks to be a real server for the addresses, as commands, and change nothing. Exit codes: 0 nothing, 2 something is
missing.`,
		Args: files(0, 0),
		RunE: func(*cobra.Command, []string) error { return a.verify(&r) },
	}
	undo := &cobra.Command{
		Use:   "undo",
		Short: "Put back what prepare has changed",
		Long: `Put back what prepare has changed: for the addresses that are named, or for all. Sysctls go back when no IPv4 address needs them any more,
to what they were before the first prepare; what somebody else has set since is left, and told. An address that was there before prepare
stays. A tunnel interface of the kernel's own goes down, unless it was given other addresses since; it goes away with its module only.`,
		Args: files(0, 0),
		RunE: func(*cobra.Command, []string) error { return a.undo(&r) },
	}
	for _, c := range []*cobra.Command{prepare, verify, undo} {
		f := c.Flags()
		f.StringSliceVar(&r.addrs, "vip", nil, "`ADDRESS` of a service; may be given several times, or with commas")
		f.StringVar(&r.stateDir, "state-dir", daemon.StateDir, "`DIR` where what was before is kept")
		if c != undo {
			f.StringVar(&r.method, "method", string(realserver.DR), "`METHOD` by which the director sends here: DR or TUN")
			f.StringVar(&r.link, "interface", "", "`INTERFACE` that gets the address; empty: lo under DR, tunl0 or ip6tnl0 under TUN")
		}
		if c != verify {
			f.BoolVar(&r.dry, "dry-run", false, "print what would be done, and do nothing")
		}
		cmd.AddCommand(c)
	}
	return cmd
}

func (r *realServer) vips() ([]realserver.VIP, error) {
	m, err := realserver.ParseMethod(r.method)
	if err != nil {
		return nil, fmt.Errorf("--method: %w: %w", err, errUsage)
	}
	addrs, err := r.addresses()
	if err != nil {
		return nil, err
	}
	vips, err := realserver.New(addrs, m, r.link)
	if err != nil {
		return nil, fmt.Errorf("--vip: %w: %w", err, errUsage)
	}
	return vips, nil
}

func (r *realServer) addresses() (list []netip.Addr, err error) {
	for _, s := range r.addrs {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("--vip: %q is not an address: %w", s, errUsage)
		}
		list = append(list, addr.Unmap())
	}
	return list, nil
}

// steps are what prepare did, or has to do.
type steps struct {
	Steps []realserver.Step `json:"steps"`
	Keep  string            `json:"keep,omitempty"`
}

func (a *app) prepare(r *realServer) error {
	vips, err := r.vips()
	if err != nil {
		return err
	}
	done, err := realserverhost.Prepare(r.stateDir, vips, r.dry)
	if err != nil {
		return err
	}
	out := steps{Steps: slices.Concat([]realserver.Step{}, done), Keep: realserver.Snippet(vips)}
	return a.print(out, func(w io.Writer, _ status.Style) error {
		if len(done) == 0 {
			fmt.Fprintln(w, "Everything is as it should be.")
		}
		for _, s := range done {
			fmt.Fprintln(w, s)
		}
		_, err := fmt.Fprintf(w, "\nThis lasts until the machine starts again. These files keep it:\n\n%s", out.Keep)
		return err
	})
}

func (a *app) verify(r *realServer) error {
	vips, err := r.vips()
	if err != nil {
		return err
	}
	lacks, err := realserverhost.Prepare(r.stateDir, vips, true)
	if err != nil {
		return err
	}
	err = a.print(steps{Steps: slices.Concat([]realserver.Step{}, lacks)}, func(w io.Writer, _ status.Style) error {
		if len(lacks) == 0 {
			_, err := fmt.Fprintln(w, "Nothing is missing.")
			return err
		}
		fmt.Fprintln(w, "This is missing; ipvsctl realserver prepare does it, but for addresses that have to go:")
		for _, s := range lacks {
			fmt.Fprintln(w, s)
		}
		return nil
	})
	if err == nil && len(lacks) > 0 {
		err = exit(exitChanges)
	}
	return err
}

func (a *app) undo(r *realServer) error {
	addrs, err := r.addresses()
	if err != nil {
		return err
	}
	u, err := realserverhost.Undo(r.stateDir, addrs, r.dry)
	if err != nil {
		return err
	}
	return a.print(u, func(w io.Writer, _ status.Style) error {
		for _, line := range u.Lines() {
			fmt.Fprintln(w, line)
		}
		return nil
	})
}
