//go:build kernel

package ipvsproc

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// onHost reads and changes the sysctls of a host.
type onHost struct{ *lab.Host }

func (h onHost) Sysctls(ctx context.Context) (all ipvs.Sysctls, err error) {
	err = h.Do(func() (err error) {
		all, err = Default.Sysctls(ctx)
		return err
	})
	return all, err
}

func (h onHost) SomeSysctls(ctx context.Context, names ...string) (some ipvs.Sysctls, err error) {
	err = h.Do(func() (err error) {
		some, err = Default.SomeSysctls(ctx, names...)
		return err
	})
	return some, err
}

func (h onHost) SetSysctl(ctx context.Context, name, value string) error {
	return h.Do(func() error { return Default.SetSysctl(ctx, name, value) })
}

func TestKernelConformance(t *testing.T) {
	ipvstest.SysctlConformance(t, func(t *testing.T) ipvstest.SysctlClient { return onHost{lab.NewHost(t, "director")} })
}

// What we write sysctl(8) reads, and the other way round.
func TestKernelSysctlAgrees(t *testing.T) {
	h := onHost{lab.NewHost(t, "director")}
	for name, value := range map[string]string{"conntrack": "1", "sync_threshold": "7 70", "drop_entry": "3", "sync_ports": "4"} {
		if err := h.SetSysctl(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
		out := strings.Fields(h.Run("sysctl", "-n", "net.ipv4.vs."+name))
		if got := strings.Join(out, " "); got != value {
			t.Errorf("sysctl reads %s = %s, want %s", name, got, value)
		}
	}
	for name, value := range map[string]string{"conntrack": "0", "sync_threshold": "8 80", "drop_entry": "1", "sync_ports": "8"} {
		h.Run("sysctl", "-w", "net.ipv4.vs."+name+"="+value)
		if all, err := h.Sysctls(t.Context()); err != nil || all[name] != value {
			t.Errorf("%s = %s, %v; sysctl wrote %s", name, all[name], err, value)
		}
	}
}

// What expire_nodest_conn decides: whether the flows of a removed server wait for its return in silence, or end.
func TestKernelRemovedServer(t *testing.T) {
	c := newCluster(t)
	for _, network := range []string{"udp", "tcp"} {
		option := map[string]string{"udp": "-u", "tcp": "-t"}[network]
		add := func(server string) { c.ipvsadm("-a", option, vip.String(), "-r", c.servers[server], "-m") }
		remove := func(server string) { c.ipvsadm("-d", option, vip.String(), "-r", c.servers[server]) }
		setup := func(value string) {
			c.ipvsadm("-C")
			c.director.Sysctl("net.ipv4.vs.expire_nodest_conn", value)
			c.ipvsadm("-A", option, vip.String(), "-s", "rr")
			add("server1")
			add("server2")
		}
		t.Run(network+", 0", func(t *testing.T) {
			setup("0")
			conn, server := c.flow(t, network)
			remove(server)
			if got := ask(conn, time.Second); got != "silence" {
				t.Errorf("after removal the flow's answer is %s, want silence", got)
			}
			if len(c.entries(server)) == 0 {
				t.Error("the entry is gone")
			}
			add(server)
			// TCP repeats what got lost.
			if got := ask(conn, patience); !strings.HasPrefix(got, server) {
				t.Errorf("with %s back the answer is %s", server, got)
			}
		})
		t.Run(network+", 1", func(t *testing.T) {
			setup("1")
			conn, server := c.flow(t, network)
			other := map[string]string{"server1": "server2", "server2": "server1"}[server]
			remove(server)
			lab.WaitFor(t, time.Minute, "the end of the removed server's entries", func() error {
				if e := c.entries(server); len(e) > 0 {
					return errStill(e)
				}
				return nil
			})
			want := map[string]string{"udp": other, "tcp": "reset"}[network]
			if network == "tcp" {
				add(server) // which revives nothing
			}
			if got := ask(conn, patience); got != want {
				t.Errorf("after removal the flow's answer is %s, want %s", got, want)
			}
		})
	}
}

type errStill []string

func (e errStill) Error() string { return "still there: " + strings.Join(e, "; ") }

// What expire_quiescent_template decides: whether persistent clients stay with a server of weight 0.
func TestKernelQuiescentServer(t *testing.T) {
	c := newCluster(t)
	for value, stays := range map[string]bool{"0": true, "1": false} {
		t.Run(value, func(t *testing.T) {
			c.ipvsadm("-C")
			c.director.Sysctl("net.ipv4.vs.expire_quiescent_template", value)
			c.ipvsadm("-A", "-t", vip.String(), "-s", "rr", "-p", "300")
			for _, addr := range c.servers {
				c.ipvsadm("-a", "-t", vip.String(), "-r", addr, "-m")
			}
			_, server := c.flow(t, "tcp")
			if _, again := c.flow(t, "tcp"); again != server {
				t.Fatalf("first %s, then %s: that isn't persistent", server, again)
			}
			c.ipvsadm("-e", "-t", vip.String(), "-r", c.servers[server], "-m", "-w", "0")
			if _, now := c.flow(t, "tcp"); (now == server) != stays {
				t.Errorf("with weight 0 for %s the next connection goes to %s", server, now)
			}
		})
	}
}

func BenchmarkKernelSysctls(b *testing.B) {
	for b.Loop() {
		if _, err := Default.Sysctls(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
