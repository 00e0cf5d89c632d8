//go:build kernel

package doctorhost_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// unload takes ip_vs with its schedulers out of the kernel. Hosts of earlier tests go away a moment after these.
func unload(t *testing.T) {
	t.Helper()
	here := lab.Here(t)
	lab.WaitFor(t, patience, "ip_vs to be unloaded", func() error {
		holders, err := filepath.Glob("/sys/module/ip_vs/holders/*")
		for _, name := range holders {
			if _, e := here.Output("modprobe", "-r", filepath.Base(name)); e != nil {
				err = errors.Join(err, e)
			}
		}
		if err == nil {
			_, err = here.Output("modprobe", "-r", "ip_vs")
		}
		if _, e := os.Stat("/proc/net/ip_vs"); err == nil && e == nil {
			err = errors.New("it is there")
		}
		return err
	})
}

// TestKernelDoctorModules: what the kernel has not loaded, and a connection table that is too small.
func TestKernelDoctorModules(t *testing.T) {
	t.Cleanup(func() { lab.Here(t).Run("modprobe", "ip_vs") })
	program, err := os.ReadFile("/proc/sys/kernel/modprobe")
	if err != nil {
		t.Fatal(err)
	}
	loading := func(program string) {
		if err := os.WriteFile("/proc/sys/kernel/modprobe", []byte(program), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { loading(string(program)) })
	n := newNetwork(t)
	n.route()
	d := n.director
	n.stage(fault{id: "module-ip-vs", on: d, spoil: func() { unload(t) }})

	unload(t)
	d.Run("modprobe", "ip_vs", "conn_tab_bits=8")
	d.AddAddress("eth0", "192.0.2.80/32")
	adm(d, "-A -u "+natVIP+" -s rr")
	adm(d, "-a -u "+natVIP+" -r 198.51.100.11:7 -m")
	n.stage(fault{
		id: "conn-table-size", on: d,
		spoil: func() {
			err := n.client.Do(func() error {
				for range 1100 {
					conn, err := net.Dial("udp", natVIP)
					if err == nil {
						_, err = conn.Write([]byte("x"))
						err = errors.Join(err, conn.Close())
					}
					if err != nil && !strings.Contains(err.Error(), "refused") {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		},
		mended: func() { // the machine starts again
			d.Run("ipvsadm", "-C")
			unload(t)
			d.Run("modprobe", "ip_vs")
			if out := d.Run("ipvsadm", "-Ln"); !strings.Contains(out, "(size=2048)") {
				t.Errorf("after the next start the table is %s", out)
			}
		},
	})

	adm(d, "-A -t 192.0.2.80:21 -s rr")
	n.stage(fault{id: "module-ip-vs-ftp", on: d, spoil: func() { adm(d, "-a -t 192.0.2.80:21 -r 198.51.100.11:21 -m") }})
	adm(d, "-C")

	// As in a container: nobody loads the scheduler that ipvsd asks for.
	config := filepath.Join(t.TempDir(), "ipvsd.toml")
	text := fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\nlb_algo = \"mh\"\nlb_kind = \"NAT\"\nreal_servers = [\"198.51.100.11:7\"]\n", natVIP)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.stage(fault{id: "module-ip-vs-mh", on: d, spoil: func() {
		loading("/bin/false")
		d.Start(programs+"/ipvsd", "-f", config, "--socket", n.socket(), "--state-dir", t.TempDir())
	}})
	lab.WaitFor(t, patience, "the service", func() error {
		rows, err := d.ReadTable()
		if err == nil && len(rows) == 0 {
			err = errors.New("it is not in the table")
		}
		return err
	})
}
