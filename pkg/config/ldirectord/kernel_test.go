//go:build kernel

package ldirectord_test

import (
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// patience is how long anything that is waited for may take: it is never what a test is about.
const patience = 5 * time.Minute

// silence is longer than ldirectord, which waits for an answer, has nothing to say: three times what the files here let it wait.
const silence = time.Minute

// program is the path of ipvsd.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // most of them wait, most of the time
	dir, err := os.MkdirTemp("", "ipvsd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in the lab's own /tmp
	program = filepath.Join(dir, "ipvsd")
	if err := lab.Programs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// twins are two directors, each with all real servers on itself: ldirectord's and ipvsd's.
type twins struct {
	t                 *testing.T
	theirs, ours      *lab.Host
	ldirectord, ipvsd *lab.Process
	theirCommand      []string
	open              map[string][]*httptest.Server // by address
	trusted           []byte                        // the certificate of those with TLS
}

func newTwins(t *testing.T) *twins {
	t.Helper()
	return &twins{t: t, theirs: lab.NewHost(t, "ldirectord"), ours: lab.NewHost(t, "ipvsd"), open: make(map[string][]*httptest.Server)}
}

// page is what all web servers answer, with whatever they were sent: the text that files of the field ask for.
const page = "Test Page test ok OK It works! 1000\n"

var pages = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })

// up lets servers at an address, such as "10.0.100.2" or "[2001:db8::2]", answer on both directors.
func (w *twins) up(address string) {
	w.t.Helper()
	if w.open[address] != nil {
		return
	}
	for _, h := range []*lab.Host{w.theirs, w.ours} {
		for _, port := range []string{"80", "81", "8080", "3128", "443", "6443", "7777"} {
			l, err := h.Listen("tcp", address+":"+port)
			if err != nil {
				w.t.Fatal(err)
			}
			s := &httptest.Server{Listener: l, Config: &http.Server{Handler: pages}}
			switch port {
			case "443", "6443":
				s.StartTLS()
				w.trusted = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
			case "7777":
				go echo(s)
			default:
				s.Start()
			}
			w.open[address] = append(w.open[address], s)
		}
	}
}

// echo answers with what it gets.
func echo(s *httptest.Server) {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			return
		}
		buffer := make([]byte, 100)
		if n, err := conn.Read(buffer); err == nil {
			_, _ = conn.Write(buffer[:n])
		}
		_ = conn.Close()
	}
}

// down ends the servers at an address.
func (w *twins) down(address string) {
	for _, s := range w.open[address] {
		s.Close()
	}
	delete(w.open, address)
}

// run starts both daemons on a file.
func (w *twins) run(file string) {
	w.t.Helper()
	dir := w.t.TempDir()
	trusted := filepath.Join(dir, "trusted.pem")
	if err := os.WriteFile(trusted, w.trusted, 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.theirCommand = []string{"env", "PERL_LWP_SSL_CA_FILE=" + trusted, "ldirectord", "-d", file, "start"}
	w.ldirectord = w.theirs.Start(w.theirCommand...)
	w.ipvsd = w.ours.Start(program, "-f", file, "--socket", dir+"/socket", "--state-dir", dir+"/state")
}

// again starts ldirectord anew, which once in a while hangs for good in the middle of a check, with a timeout of 20 s. What it has to say of its
// servers it says then.
func (w *twins) again(t *testing.T) {
	t.Helper()
	for _, name := range []string{"stack", "status"} {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", w.ldirectord.PID(), name))
		t.Logf("%s of ldirectord, which has said nothing for %v, and is started again: %s", name, silence, text)
	}
	w.ldirectord.Kill()
	w.ldirectord = w.theirs.Start(w.theirCommand...)
}

// settled waits until ldirectord has looked at one of its servers so many times. Between two times it looks at all of them.
func (w *twins) settled(t *testing.T, times int) {
	t.Helper()
	before := len(w.ldirectord.Log())
	said, last := before, time.Now()
	lab.WaitFor(t, patience, "ldirectord to check its servers", func() error {
		w.running(t)
		switch n := len(w.ldirectord.Log()); {
		case n != said:
			said, last = n, time.Now()
		case time.Since(last) > silence:
			w.again(t)
			before, said, last = 0, 0, time.Now()
		}
		most, count := 0, make(map[string]int)
		for line := range strings.Lines(w.ldirectord.Log()[before:]) {
			if looks.MatchString(line) {
				count[line]++
				most = max(most, count[line])
			}
		}
		if most < times {
			return fmt.Errorf("it has %d times", most)
		}
		return nil
	})
}

// looks are lines of ldirectord's that are about one server.
var looks = regexp.MustCompile(`^DEBUG2: (?:Checking [^:]*: real server=|Server maintenance: )`)

// running ends the test if one of the daemons has ended.
func (w *twins) running(t *testing.T) {
	t.Helper()
	select {
	case <-w.ldirectord.Done():
		t.Fatalf("ldirectord ended: %v", w.ldirectord.Err())
	case <-w.ipvsd.Done():
		t.Fatalf("ipvsd ended: %v", w.ipvsd.Err())
	default:
	}
}

// same waits until both tables are the same, and returns them.
func (w *twins) same(t *testing.T, when string) string {
	t.Helper()
	var table string
	lab.WaitFor(t, patience, "the tables to be the same "+when, func() error {
		w.running(t)
		theirs, ours := saved(w.theirs), saved(w.ours)
		if table = theirs; theirs != ours {
			return fmt.Errorf("with ldirectord it is\n%s\nand with ipvsd\n%s", theirs, ours)
		}
		return nil
	})
	return table
}

func saved(h *lab.Host) string {
	lines := h.SavedTable()
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var failures = regexp.MustCompile(`failurecount=(\d)`)

// passes is how many times ldirectord has to look at a server until all that has changed before is known to it.
func passes(source string) int {
	n := 1
	for _, m := range failures.FindAllStringSubmatch(source, -1) {
		n = max(n, int(m[1][0]-'0'))
	}
	return n + 1
}

// Ldirectord and ipvsd make the same table of the same file: with a server down at the start, when it comes, when all are down, when
// one returns, and when they stop.
func TestKernelSameAsLdirectord(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/same/*.cf")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".cf")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTwins(t)
			for _, h := range []*lab.Host{w.theirs, w.ours} {
				for _, last := range "23456" {
					h.AddAddress("lo", fmt.Sprintf("10.0.100.%c/32", last))
				}
				h.AddAddress("lo", "2001:db8:100::2/128")
				h.AddAddress("lo", "2001:db8:100::3/128")
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			both := func(f func(string), last string) {
				f("10.0.100." + last)
				f("[2001:db8:100::" + last + "]")
			}
			t.Cleanup(func() { both(w.down, "2"); both(w.down, "3") })
			both(w.up, "2")
			path := filepath.Join(t.TempDir(), name+".cf")
			if err := os.WriteFile(path, source, 0o644); err != nil {
				t.Fatal(err)
			}
			n := passes(string(source))
			w.run(path)
			var tables []string
			look := func(when string) {
				t.Helper()
				w.settled(t, n)
				tables = append(tables, w.same(t, when))
			}
			look("with one server")
			both(w.up, "3")
			look("with two servers")
			if strings.Contains(string(source), "maintenancedir") {
				maintained(t, look)
			}
			both(w.down, "2")
			both(w.down, "3")
			look("without servers")
			both(w.up, "2")
			look("with one server again")
			for _, d := range []*lab.Process{w.ldirectord, w.ipvsd} {
				if err := d.Stop(); err != nil {
					t.Errorf("a daemon stopped: %v", err)
				}
			}
			if theirs, ours := saved(w.theirs), saved(w.ours); theirs != ours {
				t.Errorf("after the stop it is with ldirectord\n%s\nand with ipvsd\n%s", theirs, ours)
			}
			t.Logf("the tables were\n%s", strings.Join(slices.Compact(tables), "\n\n"))
		})
	}
}

// maintained puts a server into maintenance, and takes it out.
func maintained(t *testing.T, look func(when string)) {
	t.Helper()
	const dir = "/tmp/ldirectord.maintenance"
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	for _, name := range []string{"10.0.100.2", "10.0.100.3:80"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		look("with " + name + " in maintenance")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	look("after maintenance")
}
