package daemon

import (
	"bytes"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// places returns how many probes may be under way at once: no more than there are file descriptors for, because a probe that
// can't open a socket tells nothing. Go has raised the soft limit to the hard one.
func places(log *slog.Logger) int {
	const others = 64 + probe.MostIdle // control connections, files, the runtime's own
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return engine.DefaultPlaces
	}
	n := int(min(engine.DefaultPlaces, max(limit.Cur, others+1)-others))
	if n < engine.DefaultPlaces {
		log.Warn("few file descriptors: checks that are slow make others wait", "limit", limit.Cur, "checks_at_once", n,
			"hint", "raise the hard limit: LimitNOFILE= in the unit, ulimit -Hn by hand")
	}
	return n
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
