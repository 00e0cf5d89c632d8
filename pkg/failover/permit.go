package failover

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// permitted returns what the process may not do of what virtual routers need. That is said once and clearly, instead of by each
// socket and address.
func permitted() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	var missing []string
	for _, c := range []struct {
		number uint
		name   string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_NET_RAW, "CAP_NET_RAW"}} {
		if data[c.number/32].Effective&(1<<(c.number%32)) == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("virtual routers need %s: run ipvsd as root, or as a service with CapabilityBoundingSet= and AmbientCapabilities=",
			strings.Join(missing, " and "))
	}
	return nil
}
