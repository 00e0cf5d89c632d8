package daemon

import (
	"bytes"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// room is what file descriptors are for, where many of a kind may be open.
type room struct {
	probes  int // under way at once
	clients int // of the API, by TCP
}

// roomFor shares out file descriptors. A probe that can't open a socket tells nothing, so clients get what probes leave.
func roomFor(descriptors uint64) room {
	const others = 64 + probe.MostIdle // control connections, files, the runtime's own
	free := int(min(max(descriptors, others+2)-others, 1<<20))
	probes := min(engine.DefaultPlaces, free-free/4)
	return room{probes: probes, clients: max(1, min(control.MaxConns, free-probes))}
}

// roomHere shares out those that the host lets us have. Go has raised the soft limit to the hard one.
func roomHere(log *slog.Logger) room {
	all := room{probes: engine.DefaultPlaces, clients: control.MaxConns}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return all
	}
	r := roomFor(limit.Cur)
	if r != all {
		log.Warn("few file descriptors: checks that are slow make others wait, and the API has fewer clients", "limit", limit.Cur,
			"checks_at_once", r.probes, "clients_at_once", r.clients, "hint", "raise the hard limit: LimitNOFILE= in the unit, ulimit -Hn by hand")
	}
	return r
}

// oomScore is the priority that the unit has, too, for when memory runs short: nearly all others end before. Scripts have their own.
const oomScore = "-900"

// outlive has the kernel end others first when memory runs short, unless somebody has said otherwise. Where that isn't allowed, as without
// CAP_SYS_RESOURCE in a container, the host has decided.
func outlive(file string) {
	if is, err := os.ReadFile(file); err == nil && string(bytes.TrimSpace(is)) == "0" {
		_ = os.WriteFile(file, []byte(oomScore), 0)
	}
}
