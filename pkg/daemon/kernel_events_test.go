//go:build kernel

package daemon_test

import (
	"fmt"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// What ipvsadm and ip do is told to watchers, and so is what the file does; over a restart they hear that there was one.
func TestKernelEvents(t *testing.T) {
	h := lab.NewHost(t, "director")
	h.Run("ip", "link", "add", "dummy0", "type", "dummy")
	h.Run("ip", "address", "add", "10.0.0.1/24", "dev", "dummy0")
	h.Run("ip", "link", "set", "dummy0", "up")
	config := ipvsd.Unchecked + `
[vrrp_instance.VI_1]
interface = "dummy0"
virtual_router_id = 51
priority = 150
advert_int = 0.1
virtual_ipaddress = ["10.0.0.100/24"]
`
	d := ipvsd.Start(t, h, config)
	var at event.Position
	// told waits for an event after those that were told of before.
	told := func(when string, is func(*event.Event) bool) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, when, func() error {
			seen := ""
			for item, err := range d.Events(t.Context(), event.Query{After: at}) {
				switch {
				case err != nil:
					return err
				case item.Event == nil:
				case is(item.Event):
					at = item.Position
					return nil
				default:
					seen += "\n" + item.Event.Text()
				}
			}
			return fmt.Errorf("it is not told; what is:%s", seen)
		})
	}
	told("the role", func(e *event.Event) bool { return e.Kind == event.Router && e.Instance == "VI_1" && e.To == "MASTER" })
	h.Run("ipvsadm", "-D", "-t", "192.0.2.1:80")
	told("the drift", func(e *event.Event) bool {
		return e.Kind == event.Drift && e.Reason == "add server 198.51.100.1:80 NAT weight 3 of tcp 192.0.2.1:80"
	})
	h.Run("ip", "link", "set", "dummy0", "down")
	told("the fault", func(e *event.Event) bool { return e.Kind == event.Router && e.From == "MASTER" && e.To == "FAULT" })
	d.Write("nonsense = 1\n")
	if a, err := d.Reload(t.Context(), false); err != nil || a.Rejected == "" {
		t.Errorf("%+v, %v", a, err)
	}
	told("the rejection", func(e *event.Event) bool { return e.Kind == event.Reload && e.To == "rejected" && e.Who == "root" })
	d.Load(config)
	told("the reload", func(e *event.Event) bool { return e.Kind == event.Reload && e.To == "accepted" && e.Who == "root" })
	d.Stop()
	d.Start()
	for item, err := range d.Events(t.Context(), event.Query{After: at}) {
		if err != nil || item.Begin == nil || !item.Begin.Restarted {
			t.Errorf("after a restart: %+v, %v", item, err)
		}
		break
	}
	told("the start", func(e *event.Event) bool { return e.Kind == event.Daemon && e.To == "running" })
}
