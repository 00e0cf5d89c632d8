//go:build kernel

package table

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/daemon"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// tableFile writes a file and returns its path.
func tableFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// restore runs ipvsadm -R.
func restore(t *testing.T, h *lab.Host, text string) {
	t.Helper()
	cmd := exec.Command("ipvsadm", "-R")
	cmd.Stdin = strings.NewReader(text)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := h.Do(cmd.Run); err != nil || out.Len() > 0 {
		t.Fatalf("ipvsadm -R: %v\n%s", err, out.String())
	}
}

// sights are all that ipvsadm shows of a table, by the options that it shows it with; but not the counters.
func sights(t *testing.T, h *lab.Host) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, options := range []string{"-Sn", "-Ln", "-Ln --thresholds", "-Ln --tun-info", "-L --timeout", "-L --daemon"} {
		all[options] = h.Run(append([]string{"ipvsadm"}, strings.Fields(options)...)...)
	}
	return all
}

func wipe(h *lab.Host) {
	h.Run("ipvsadm", "-C")
	h.Run("ipvsadm", "--set", "1", "2", "3")
	for _, role := range []string{"master", "backup"} {
		_, _ = h.Output("ipvsadm", "--stop-daemon", role) // it may not run
	}
}

// mixed are servers of another family than their service; the kernel has them and sync daemons at one time only.
const mixed = `-a -t 192.0.2.1:80 -r [2001:db8::9]:80 -i
-a -t [2001:db8::1]:80 -r 10.0.0.99:80 -i
-a -f 7 -6 -r 10.9.9.9:80 -i --tun-type gre --tun-csum
`

// Scenario 24 of the peers: export, wipe, import: the second export is equal byte for byte, and ipvsadm sees the same with
// every option that it has. In both formats, which ipvsadm -R and -S speak as well.
func TestKernelExportAndImport(t *testing.T) {
	every, err := os.ReadFile("testdata/every.rules")
	if err != nil {
		t.Fatal(err)
	}
	for name, fill := range map[string]func(*lab.Host){
		"mixed families": func(h *lab.Host) { restore(t, h, string(every)+mixed) },
		"sync daemons": func(h *lab.Host) {
			restore(t, h, string(every))
			h.Run("ipvsadm", "--start-daemon", "master", "--mcast-interface", "eth1", "--syncid", "7", "--sync-maxlen", "1000",
				"--mcast-group", "224.0.0.99", "--mcast-port", "9000", "--mcast-ttl", "3")
			h.Run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", "eth1", "--syncid", "255")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := lab.NewHost(t, "director")
			h.Run("ip", "link", "add", "eth1", "type", "dummy")
			h.LinkUp("eth1")
			fill(h)
			h.Run("ipvsadm", "--set", "901", "121", "301")
			want := sights(t, h)
			check := func(when string) {
				t.Helper()
				if diff := cmp.Diff(want, sights(t, h)); diff != "" {
					t.Errorf("%s ipvsadm sees another table (-want +got):\n%s", when, diff)
				}
			}
			for _, format := range []string{daemon.FormatTOML, daemon.FormatIPVSAdm} {
				text := ipvsd.GoodCtl(t, h, "export", "--format", format)
				if out := ipvsd.GoodCtl(t, h, "import", tableFile(t, text)); out != "" {
					t.Errorf("an import of what is so already changes\n%s", out)
				}
				wipe(h)
				ipvsd.GoodCtl(t, h, "import", tableFile(t, text))
				check("after an import of " + format)
				if again := ipvsd.GoodCtl(t, h, "export", "--format", format); again != text {
					t.Errorf("the second export differs:\n%s", cmp.Diff(text, again))
				}
				if format == daemon.FormatTOML {
					continue
				}
				if got := asSaved(text); got != want["-Sn"] {
					t.Errorf("it is not what ipvsadm -Sn prints (-want +got):\n%s", cmp.Diff(want["-Sn"], got))
				}
				wipe(h)
				restore(t, h, text)
				check("after ipvsadm -R of the export")
			}
			saved := want["-Sn"]
			wipe(h)
			ipvsd.GoodCtl(t, h, "import", "--format", "ipvsadm", tableFile(t, saved))
			if got := h.Run("ipvsadm", "-Sn"); got != saved {
				t.Errorf("after an import of what ipvsadm -Sn printed (-want +got):\n%s", cmp.Diff(saved, got))
			}
		})
	}
}

// asSaved takes from an export what ipvsadm -S doesn't write.
func asSaved(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "--") {
			continue
		}
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), " -x ")
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Where ipvsadm drops something, or prints what it doesn't read, the export does neither.
func TestKernelExportOfWhatIpvsadmLoses(t *testing.T) {
	h := lab.NewHost(t, "director")
	restore(t, h, "-A -t 192.0.2.1:80 -s mh -b flag-3\n-A -f 4294967295 -s rr\n")
	const want = "-A -t 192.0.2.1:80 -s mh -b flag-3\n-A -f 4294967295 -s rr\n--set 900 120 300\n"
	if got := ipvsd.GoodCtl(t, h, "export", "--format", "ipvsadm"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	saved := h.Run("ipvsadm", "-Sn")
	if !strings.Contains(saved, "-f -1 ") || strings.Contains(saved, "flag-3") {
		t.Errorf("ipvsadm loses nothing: %s", saved)
	}
	code, stdout, stderr := ipvsd.RunCtl(t, h, "import", tableFile(t, saved))
	if code != 0 || stdout != "edit service tcp 192.0.2.1:80: flag-3 -> none\n" || !strings.Contains(stderr, "warning: -b without a flag") {
		t.Errorf("an import of what ipvsadm -Sn printed: exit code %d, %s%s", code, stdout, stderr)
	}
}

// One refusal costs what hangs on it, and no more; it is told, and the exit code.
func TestKernelImportRefused(t *testing.T) {
	h := lab.NewHost(t, "director")
	path := tableFile(t, `-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.0.1 -m
-A -t 192.0.2.2:80 -s rr
-a -t 192.0.2.2:80 -r 224.0.0.1 -m
-a -t 192.0.2.2:80 -r 10.0.0.1 -m
--start-daemon master --mcast-interface nosuch0
--set 901 0 0
`)
	code, stdout, stderr := ipvsd.RunCtl(t, h, "import", path)
	if code != 1 || strings.Count(stderr, "refused: ") != 2 || !strings.Contains(stderr, "224.0.0.1:80") || !strings.Contains(stderr, "nosuch0") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if want := []string{"-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1", "-A -t 192.0.2.2:80 -s rr",
		"-a -t 192.0.2.2:80 -r 10.0.0.1:80 -m -w 1"}; !slices.Equal(h.SavedTable(), want) {
		t.Errorf("the table is %q", h.SavedTable())
	}
	if got := h.Run("ipvsadm", "-L", "--timeout"); !strings.Contains(got, "901") || strings.Count(stdout, "\n") != 5 {
		t.Errorf("timeouts %s, changes\n%s", got, stdout)
	}
}

// What stats says of a table with traffic is what ipvsadm says.
func TestKernelStats(t *testing.T) {
	c := lab.NewNATCluster(t)
	h := c.Director
	restore(t, h, `-A -t 192.168.1.202:80 -s rr -p 100
-a -t 192.168.1.202:80 -r 10.0.100.2 -m -w 3 -x 100 -y 10
-a -t 192.168.1.202:80 -r 10.0.100.3 -m
-A -u 192.168.1.200:53 -s rr
-a -u 192.168.1.200:53 -r 10.0.100.5 -m
`)
	for range 3 {
		if _, err := c.Get(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Query(); err != nil {
			t.Fatal(err)
		}
	}
	lab.WaitFor(t, ipvsd.Patience, "ipvsadm and ipvsctl to agree", func() error {
		var k status.Kernel
		if err := json.Unmarshal([]byte(ipvsd.GoodCtl(t, h, "stats", "-o", "json")), &k); err != nil {
			return err
		}
		var got, want []string
		for _, s := range k.Services {
			got = append(got, fmt.Sprint(s.Stats.Connections, s.Stats.InPackets, s.Stats.OutPackets, s.Stats.InBytes, s.Stats.OutBytes))
			for _, r := range s.Servers {
				got = append(got, fmt.Sprint(r.Stats.Connections, r.Stats.InPackets, r.Stats.OutPackets, r.Stats.InBytes, r.Stats.OutBytes,
					r.Weight, r.PersistentConns, r.ActiveConns, r.InactiveConns, r.UpperThreshold, r.LowerThreshold))
			}
		}
		rows, persistent, thresholds := h.Table("--stats", "--exact"), h.Table("--persistent-conn"), h.Table("--thresholds")
		rows = append(rows[3:], rows[:3]...) // ipvsadm has TCP first, ipvsctl the lower address
		persistent, thresholds = append(persistent[3:], persistent[:3]...), append(thresholds[3:], thresholds[:3]...)
		requests := int64(0)
		for i, r := range rows {
			line := strings.Join(r.Fields, " ")
			if r.Server != "" {
				requests += r.Int(0)
				line += " " + strings.Join(append(persistent[i].Fields, thresholds[i].Fields[:2]...), " ")
			}
			want = append(want, line)
		}
		if requests < 4 { // three queries, and one persistent client's connections
			return fmt.Errorf("the kernel counts %d connections so far", requests)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-ipvsadm +ipvsctl):\n%s", diff)
		}
		return nil
	})
	h.Run("ipvsadm", "--set", "901", "121", "301")
	h.Run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", "eth1", "--syncid", "9")
	if text := ipvsd.GoodCtl(t, h, "stats"); !strings.Contains(text, "tcp 15m1s, tcpfin 2m1s, udp 5m1s") || !strings.Contains(text, "sync backup  eth1 id 9 ") {
		t.Errorf("%s", text)
	}
}

// The rates of all intervals together are what came to the service; and a service that is made anew meanwhile, whose counters go
// back, adds what it has since.
func TestKernelRate(t *testing.T) {
	c := lab.NewNATCluster(t)
	h := c.Director
	makeService := func() {
		h.Run("ipvsadm", "-A", "-t", "192.168.1.202:80", "-s", "rr")
		h.Run("ipvsadm", "-a", "-t", "192.168.1.202:80", "-r", "10.0.100.2", "-m")
	}
	makeService()
	get := func(n int) {
		for range n {
			if _, err := c.Get(); err != nil {
				t.Fatal(err)
			}
		}
	}
	counted := func(want int64) {
		lab.WaitFor(t, ipvsd.Patience, "the kernel to count", func() error {
			if got := h.Table("--stats", "--exact")[0].Int(0); got != want {
				return fmt.Errorf("it has %d of %d connections", got, want)
			}
			return nil
		})
	}
	get(5)
	counted(5)

	cmd := ipvsd.CtlCommand(t, "rate", "-o", "json", "tcp", "192.168.1.202:80")
	read, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := h.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(read)
	sum := func(want float64) {
		t.Helper()
		total := 0.0
		for deadline := time.Now().Add(ipvsd.Patience); math.Abs(total-want) > 0.01; {
			if time.Now().After(deadline) || !lines.Scan() {
				t.Fatalf("%v of %v connections, %v", total, want, lines.Err())
			}
			var r status.Rates
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			for _, s := range r.Services {
				if s.Connections < 0 || s.Connections > 1000 || len(s.Servers) > 0 && s.Servers[0].Connections > 1000 {
					t.Errorf("%s", lines.Text())
				}
				total += s.Connections * r.Seconds
			}
		}
	}
	lines.Scan() // it has begun
	get(20)
	sum(20)
	h.Run("ipvsadm", "-C")
	makeService()
	get(3)
	sum(3)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Log("after the interrupt", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	counted(3)
}

// A kernel that doesn't estimate doesn't count either, as far as it tells: that is said.
func TestKernelFrozenCounters(t *testing.T) {
	h := lab.NewHost(t, "director")
	h.Run("ipvsadm", "-A", "-f", "1")
	if text := ipvsd.GoodCtl(t, h, "stats"); strings.Contains(text, "run_estimation") {
		t.Errorf("%s", text)
	}
	h.Sysctl("net.ipv4.vs.run_estimation", "0")
	for _, args := range [][]string{{"stats"}, {"rate", "--count", "1"}} {
		if text := ipvsd.GoodCtl(t, h, args...); !strings.Contains(text, "net.ipv4.vs.run_estimation is 0") {
			t.Errorf("%q: %s", args, text)
		}
	}
}
