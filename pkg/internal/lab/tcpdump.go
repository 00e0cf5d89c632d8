package lab

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// captureLimit is for tcpdump to start, and to catch up with the kernel at the end.
const captureLimit = 30 * time.Second

// Capture is a running tcpdump.
type Capture struct {
	host    *Host
	process *Process
	skipped int // packets that came before tcpdump had set its filter
}

// NewCapture watches the packets on an interface of the host ("any" for all) that match a filter in tcpdump's words. It
// returns when every packet from then on will be seen.
func NewCapture(h *Host, ifname, filter string) *Capture {
	h.tb.Helper()
	args := []string{"tcpdump", "-Z", "root", "-n", "-l", "--immediate-mode", "-s", "1024", "-B", "8192", "-i", ifname}
	c := &Capture{host: h, process: h.Start(append(args, strings.Fields(filter)...)...)}
	c.process.WaitLog(captureLimit, "listening on")
	WaitFor(h.tb, captureLimit, "tcpdump to count", func() (err error) {
		c.skipped, err = c.behind()
		return err
	})
	return c
}

// A line of a packet starts with its time.
var packetLine = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d+ .*$`)

// Packets returns a line for each packet that tcpdump has shown until now.
func (c *Capture) Packets() []string { return packetLine.FindAllString(c.process.Log(), -1) }

// Stop ends the capture and returns a line for each packet, up to the last one that came before.
func (c *Capture) Stop() []string {
	c.host.tb.Helper()
	// What tcpdump has not read when it ends would be lost.
	WaitFor(c.host.tb, captureLimit, "tcpdump to catch up", func() error {
		switch behind, err := c.behind(); {
		case err != nil:
			return err
		case behind > c.skipped:
			return fmt.Errorf("it is %d packets behind", behind-c.skipped)
		}
		return nil
	})
	if err := c.process.Stop(); err != nil {
		c.host.tb.Fatalf("tcpdump on %s: %v\n%s", c.host.Name, err, c.process.Log())
	}
	return c.Packets()
}

// What tcpdump says on SIGUSR1.
var countLine = regexp.MustCompile(`tcpdump: (\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped`)

// behind asks tcpdump how many packets the kernel has for it that it has not shown.
func (c *Capture) behind() (int, error) {
	c.host.tb.Helper()
	asked := len(countLine.FindAllString(c.process.Log(), -1))
	c.process.Signal(syscall.SIGUSR1)
	var answers [][]string
	err := Poll(captureLimit, func() error {
		answers = countLine.FindAllStringSubmatch(c.process.Log(), -1)
		if len(answers) <= asked {
			return errors.New("tcpdump does not answer SIGUSR1")
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	last := answers[len(answers)-1]
	captured, _ := strconv.Atoi(last[1])
	received, _ := strconv.Atoi(last[2])
	if last[3] != "0" {
		c.host.tb.Fatalf("tcpdump on %s was too slow: %s", c.host.Name, last[0])
	}
	return received - captured, nil
}
