package ipvsd

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Watch counts messages to the kernel's IPVS on a host, as a monitor of netlink (drivers/net/nlmon.c) sees them.
type Watch struct {
	t       *testing.T
	tcpdump *lab.Process
}

// Filters for requests to IPVS. Where tcpdump sees a netlink message, link[16] begins its struct nlmsghdr (type at 20, flags
// at 22) and link[32] its struct genlmsghdr (command at 32). Type 16 is the controller of generic netlink, flag 1 marks
// requests, and commands 4, 8, 11, 13 and 15 only read (uapi/linux/ip_vs.h): 4 is where reading a table begins.
const (
	requests      = "link[14:2] == 16 and link[20] != 16 and link[22] & 1 != 0"
	TableReads    = requests + " and link[32] == 4"
	WriteRequests = requests + " and not (link[32] == 4 or link[32] == 8 or link[32] == 11 or link[32] == 13 or link[32] == 15)"
)

// NewWatch starts to count the messages that match a filter. The host has to be quiet meanwhile.
func NewWatch(t *testing.T, h *lab.Host, filter string) *Watch {
	t.Helper()
	if _, err := h.Output("ip", "link", "show", "nlmon0"); err != nil {
		h.Run("ip", "link", "add", "nlmon0", "type", "nlmon")
		h.LinkUp("nlmon0")
	}
	w := &Watch{t: t, tcpdump: h.Start("tcpdump", "-Z", "root", "--immediate-mode", "-B", "16384", "-s", "64", "-i", "nlmon0",
		"-w", "/dev/null", filter)}
	w.tcpdump.WaitLog(Patience, "listening on")
	w.Count()
	return w
}

// Count returns how many there were until now.
func (w *Watch) Count() (n int) {
	w.t.Helper()
	lab.WaitFor(w.t, Patience, "tcpdump to catch up", func() error {
		captured, received := w.ask()
		if captured != received {
			return fmt.Errorf("it has seen %d of %d messages", captured, received)
		}
		n = captured
		return nil
	})
	return n
}

// What tcpdump says on SIGUSR1.
var tally = regexp.MustCompile(`tcpdump: (\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped`)

func (w *Watch) ask() (captured, received int) {
	w.t.Helper()
	answers := func() [][]string { return tally.FindAllStringSubmatch(w.tcpdump.Log(), -1) }
	before := len(answers())
	w.tcpdump.Signal(syscall.SIGUSR1)
	lab.WaitFor(w.t, Patience, "tcpdump's answer to SIGUSR1", func() error {
		all := answers()
		if len(all) == before {
			return errors.New("there is none")
		}
		last := all[len(all)-1]
		if last[3] != "0" {
			w.t.Fatalf("tcpdump lost messages: %s", last[0])
		}
		captured, _ = strconv.Atoi(last[1])
		received, _ = strconv.Atoi(last[2])
		return nil
	})
	return captured, received
}
