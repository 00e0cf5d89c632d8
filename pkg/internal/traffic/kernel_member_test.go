//go:build kernel

package traffic

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Scenario 4: a server that carries the tag gets clients, as soon as its check has passed, and nobody edits the balancer. What vanishes takes
// nobody away, also over the death of the daemon. Scenario 5: servers are found by name, and again after the name means others.
func TestKernelScenario4And5Members(t *testing.T) {
	t.Parallel()
	c := lab.NewNATCluster(t)
	servers := filepath.Join(t.TempDir(), "servers.d")
	if err := os.Mkdir(servers, 0o755); err != nil {
		t.Fatal(err)
	}
	names := func(name string, s *lab.Server, tag string) {
		t.Helper()
		text := fmt.Sprintf(`[{"targets": [%q], "tags": [%q], "name": %q}]`, s.Addr, tag, s.Host.Name)
		if err := os.WriteFile(filepath.Join(servers, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tagged, named := "TCP "+lab.WebVIP.String(), "TCP "+port(lab.WebVIP, 8080).String()
	one, two, three := c.Web[0].Addr.String(), c.Web[1].Addr.String(), c.Web[2].Addr.String()
	names("one.json", c.Web[0], "web")
	names("three.json", c.Web[2], "db")
	c.DNS[0].Zone("pool 1 IN A " + c.Web[0].Addr.Addr().String() + "\n")
	virtual := "[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\nlb_algo = \"rr\"\ndelay_loop = 1\n[virtual_server.HTTP_GET]\n[[virtual_server.members]]\n"
	d := ipvsd.Start(t, c.Director, fmt.Sprintf(virtual, lab.WebVIP)+fmt.Sprintf("directory = %q\ntags = \"web\"\n", servers)+
		fmt.Sprintf(virtual, port(lab.WebVIP, 8080))+fmt.Sprintf("dns = \"pool.lab.local\"\nname_server = %q\nport = 80\n", c.DNS[0].Addr))
	d.WaitRow("at first", tagged, one, "Masq 1 ")
	d.WaitRow("at first", named, one, "Masq 1 ")

	c.Web[1].Stop()
	names("two.json", c.Web[1], "web")
	lab.WaitFor(t, ipvsd.Patience, "the new server to be down", func() error {
		if out := d.Ctl("list"); !strings.Contains(out, two+" "+c.Web[1].Host.Name+" (directory ") || !strings.Contains(out, "connection refused") {
			return fmt.Errorf("ipvsctl list says\n%s", out)
		}
		return nil
	})
	if row := d.Row(tagged, two); row != "gone" {
		t.Errorf("a server that no check has passed is %q", row)
	}
	c.Web[1].Start()
	d.WaitRow("after its check", tagged, two, "Masq 1 ")
	lab.WaitFor(t, ipvsd.Patience, "the new server to have clients", func() error {
		answer, err := c.Get()
		if err == nil && answer.Server != c.Web[1].Host.Name {
			err = fmt.Errorf("%s answers", answer.Server)
		}
		return err
	})
	if row := d.Row(tagged, three); row != "gone" {
		t.Errorf("a server without the tag is %q", row)
	}
	if err := os.RemoveAll(servers); err != nil {
		t.Fatal(err)
	}
	d.WaitSaid("servers.d can't be read for ")
	d.Kill()
	d.Start()
	d.WaitSaid("its servers stay: 2, as they were before the start")

	c.DNS[0].Zone("pool 1 IN A " + c.Web[1].Addr.Addr().String() + "\npool 1 IN A " + c.Web[2].Addr.Addr().String() + "\n")
	d.WaitRow("after the name means others", named, three, "Masq 1 ")
	d.WaitRow("after the name means others", named, two, "Masq 1 ")
	d.WaitRow("after the name means others", named, one, "gone")
	c.DNS[0].Zone("")
	d.WaitSaid("dns pool.lab.local no longer names it")
	c.DNS[0].Stop()
	d.WaitSaid("dns pool.lab.local can't be read for ")
	for service, servers := range map[string][]string{tagged: {one, two}, named: {two, three}} {
		for _, s := range servers {
			if row := d.Row(service, s); !strings.HasPrefix(row, "Masq 1 ") {
				t.Errorf("with nobody left who names it, %s of %s is %q", s, service, row)
			}
		}
	}
}
