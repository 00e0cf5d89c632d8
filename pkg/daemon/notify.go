package daemon

import (
	"fmt"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// What systemd is told (sd_notify(3)).
const (
	ready    = systemd.SdNotifyReady
	stopping = systemd.SdNotifyStopping
	alive    = systemd.SdNotifyWatchdog
)

// notify tells systemd, if it started us. A message that it doesn't get is its loss: there is nothing else to do with it.
func notify(lines ...string) { _, _ = systemd.SdNotify(false, strings.Join(lines, "\n")) }

// reloading is the message at the start of a reload. Type=notify-reload needs to know when it was sent.
func reloading() string {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", systemd.SdNotifyReloading, t.Nano()/int64(time.Microsecond))
}

// watchdogTicks returns when to send alive: twice as often as systemd demands, never if it doesn't.
func watchdogTicks() <-chan time.Time {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return nil
	}
	return time.Tick(interval / 2)
}
