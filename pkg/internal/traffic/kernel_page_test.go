//go:build kernel

package traffic

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// A browser logs in to the status page, sees the kernel's table, and drains a server: ipvsadm has weight 0 then, and who did it is known. Another
// director that does not answer is told of. A token that leaves the configuration ends the session.
func TestKernelPage(t *testing.T) {
	c := lab.NewWebCluster(t)
	const secret = "night-0123456789abcdef"
	token := t.TempDir() + "/night-shift"
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const name = "[[global_defs.api.token]]\nname = %q\nrole = \"operate\"\nfile = %q\n"
	config := fmt.Sprintf(`[[virtual_server]]
address = %q
protocol = "TCP"
lb_algo = "rr"
TCP_CHECK = false
real_servers = ["10.0.100.2:80", "10.0.100.3:80"]
[global_defs.peers.LB2]
address = "127.0.0.1:9"
[global_defs.api]
listen = ["127.0.0.1:9443"]
`, lab.WebVIP)
	d := ipvsd.Start(t, c.Director, config+fmt.Sprintf(name, "night-shift", token))

	// ask returns what curl prints of a path, as a browser with cookies, with the status on a line of its own.
	jar := t.TempDir() + "/cookies"
	ask := func(path string, more ...string) (string, error) {
		return c.Director.Output(append([]string{"curl", "-sS", "-b", jar, "-c", jar, "-w", `\n%{http_code}`, "http://127.0.0.1:9443" + path}, more...)...)
	}
	post := func(path, body string) {
		t.Helper()
		out, err := ask(path, "-H", "Content-Type: application/json", "-H", "Sec-Fetch-Site: same-origin", "--data", body)
		if err != nil || !strings.HasSuffix(strings.TrimSpace(out), "\n200") && !strings.HasSuffix(strings.TrimSpace(out), "204") {
			t.Fatalf("%s: %v: %s", path, err, out)
		}
	}
	lab.WaitFor(t, ipvsd.Patience, "the form", func() error {
		out, err := ask("/")
		if err == nil && !strings.Contains(out, "Who is there?") {
			err = errors.New(out)
		}
		return err
	})
	if out, err := ask("/page/state"); err != nil || !strings.HasSuffix(out, "\n401") {
		t.Fatalf("a stranger: %v: %s", err, out)
	}
	post("/page/login", fmt.Sprintf(`{"token": %q}`, secret))

	type service struct {
		Key     string
		Serving int
		Servers []struct{ Address, State, Why string }
	}
	type state struct {
		Who      string
		Operates bool
		Services []service
		Peers    []struct{ Name, Error string }
	}
	shows := func(what string, f func(s state) error) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, what, func() error {
			out, err := ask("/page/state")
			if err != nil {
				return err
			}
			text, code, _ := strings.Cut(out, "\n\n")
			var s state
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				return fmt.Errorf("%w: %s%s", err, text, code)
			}
			return f(s)
		})
	}
	shows("the table, and the other director's silence", func(s state) error {
		if s.Who != "token night-shift" || !s.Operates || len(s.Services) != 1 || s.Services[0].Serving != 2 ||
			len(s.Peers) != 1 || !strings.Contains(s.Peers[0].Error, "127.0.0.1:9") {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	post("/v1/wishes", `{"verb": "drain", "server": "10.0.100.2:80", "reason": "new kernel"}`)
	if row := d.Row("TCP "+lab.WebVIP.String(), "10.0.100.2:80"); !strings.HasPrefix(row, "Masq 0 ") {
		t.Errorf("ipvsadm has %q", row)
	}
	shows("the drain", func(s state) error {
		if r := s.Services[0].Servers[0]; s.Services[0].Serving != 1 || r.State != "drained" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if out := d.Ctl("drains"); !strings.Contains(out, "token night-shift") {
		t.Errorf("ipvsctl drains: %s", out)
	}
	d.Load(config + fmt.Sprintf(name, "another", token))
	shows("the same secret under another name", func(s state) error {
		if s.Who != "token another" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err := os.WriteFile(token, []byte("fresh-0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lab.WaitFor(t, ipvsd.Patience, "the old secret to open nothing", func() error {
		out, err := ask("/page/state")
		if err == nil && !strings.HasSuffix(out, "\n401") {
			err = errors.New(out)
		}
		return err
	})
}
