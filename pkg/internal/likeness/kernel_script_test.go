//go:build kernel

package likeness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// kind is a virtual server with three servers, in keepalived's words, and the notifications of each step.
type kind struct {
	name  string
	words []string // alpha is written where it is on: it is not keepalived's default
	want  map[string]string
	// theirs are the steps of which keepalived tells something else. It begins with the quorum lost where it can't know yet,
	// and forgets the live servers at the stop when the sorry server has their clients.
	theirs map[string]string
}

const (
	startUp, fourDies, threeDies, twoDies = "start", "4 dies", "3 dies", "2 dies"
	twoReturns, threeReturns, fourReturns = "2 returns", "3 returns", "4 returns"
	stopUp                                = "stop"
	startDead, twoComes, stopOne          = "start, all dead", "2 comes", "stop, one alive"
)

var kinds = []kind{
	{name: "plain", want: map[string]string{
		startUp: "quorum up", fourDies: "4 down", threeDies: "3 down", twoDies: "2 down, quorum down",
		twoReturns: "2 up, quorum up", threeReturns: "3 up", fourReturns: "4 up",
		startDead: "quorum up, 2 down, 3 down, 4 down, quorum down", twoComes: "2 up, quorum up",
	}},
	{name: "alpha", words: []string{"alpha"}, want: map[string]string{
		startUp: "2 up, 3 up, 4 up, quorum up", fourDies: "4 down", threeDies: "3 down", twoDies: "2 down, quorum down",
		twoReturns: "2 up, quorum up", threeReturns: "3 up", fourReturns: "4 up",
		startDead: "2 down, 3 down, 4 down", twoComes: "2 up, quorum up",
	}},
	{name: "omega", words: []string{"omega"}, want: map[string]string{
		startUp: "quorum up", fourDies: "4 down", threeDies: "3 down", twoDies: "2 down, quorum down",
		twoReturns: "2 up, quorum up", threeReturns: "3 up", fourReturns: "4 up", stopUp: "2 down, 3 down, 4 down, quorum down",
		startDead: "quorum up, 2 down, 3 down, 4 down, quorum down", twoComes: "2 up, quorum up", stopOne: "2 down, quorum down",
	}},
	{name: "hysteresis", words: []string{"alpha", "omega", "quorum 2", "hysteresis 1"}, want: map[string]string{
		startUp: "2 up, 3 up, 4 up, quorum up", fourDies: "4 down", threeDies: "3 down", twoDies: "2 down, quorum down",
		twoReturns: "2 up", threeReturns: "3 up", fourReturns: "4 up, quorum up", stopUp: "2 down, 3 down, 4 down, quorum down",
		startDead: "2 down, 3 down, 4 down", twoComes: "2 up", stopOne: "2 down, quorum down",
	}},
	{name: "sorry", words: []string{"quorum 2", "sorry_server 10.0.100.9 80"}, want: map[string]string{
		startUp: "quorum up", fourDies: "4 down", threeDies: "3 down, quorum down", twoDies: "2 down",
		twoReturns: "2 up", threeReturns: "3 up, quorum up", fourReturns: "4 up",
		startDead: "quorum up, 2 down, 3 down, 4 down, quorum down", twoComes: "2 up",
	}},
	{
		name: "sorryinhibit", words: []string{"alpha", "omega", "quorum 2", "hysteresis 1", "sorry_server 10.0.100.9 80", "sorry_server_inhibit"},
		want: map[string]string{
			startUp: "2 up, 3 up, 4 up, quorum up", fourDies: "4 down", threeDies: "3 down", twoDies: "2 down, quorum down",
			twoReturns: "2 up", threeReturns: "3 up", fourReturns: "4 up, quorum up", stopUp: "2 down, 3 down, 4 down, quorum down",
			startDead: "2 down, 3 down, 4 down, quorum down", twoComes: "2 up", stopOne: "2 down, quorum down",
		},
		theirs: map[string]string{startUp: "quorum down, 2 up, 3 up, 4 up, quorum up", stopOne: "quorum down"},
	},
	{name: "inhibit", words: []string{"quorum 3", "inhibit_on_failure", "sorry_server 10.0.100.9 80"}, want: map[string]string{
		startUp: "quorum up", fourDies: "4 down, quorum down", threeDies: "3 down", twoDies: "2 down",
		twoReturns: "2 up", threeReturns: "3 up", fourReturns: "4 up, quorum up",
		startDead: "quorum up, 2 down, 3 down, 4 down, quorum down", twoComes: "2 up",
	}},
}

// keepalived writes the virtual server for keepalived. Its scripts are the program's.
func (k kind) keepalived(number int, program string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `virtual_server 192.0.2.%d 80 {
	lb_algo rr
	lb_kind NAT
	protocol TCP
	delay_loop 0.3
	warmup 0.1
	retry 0
	delay_before_retry 0.1
	quorum_up "%[2]s %[3]s quorum up"
	quorum_down "%[2]s %[3]s quorum down"
	%s
`, number, program, k.name, strings.Join(k.words, "\n\t"))
	for i := 2; i <= 4; i++ {
		fmt.Fprintf(&b, `	real_server 10.0.100.%d 80 {
		notify_up "%[2]s %[3]s %[1]d up"
		notify_down "%[2]s %[3]s %[1]d down"
		TCP_CHECK { }
	}
`, i, program, k.name)
	}
	return b.String() + "}\n"
}

// ipvsd writes the same for ipvsd.
func (k kind) ipvsd(number int, program string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `[[virtual_server]]
address = "192.0.2.%d:80"
lb_algo = "rr"
lb_kind = "NAT"
protocol = "TCP"
delay_loop = 0.3
warmup = 0.1
retry = 0
TCP_CHECK = true
alpha = %t
quorum_up = "%[3]s %[4]s quorum up"
quorum_down = "%[3]s %[4]s quorum down"
`, number, slices.Contains(k.words, "alpha"), program, k.name)
	for _, w := range k.words {
		switch key, value, _ := strings.Cut(w, " "); {
		case key == "alpha":
		case value == "":
			fmt.Fprintf(&b, "%s = true\n", key)
		case key == "sorry_server":
			fmt.Fprintf(&b, "%s = %q\n", key, strings.Replace(value, " ", ":", 1))
		default:
			fmt.Fprintf(&b, "%s = %s\n", key, value)
		}
	}
	for i := 2; i <= 4; i++ {
		fmt.Fprintf(&b, `[[virtual_server.real_server]]
address = "10.0.100.%d:80"
notify_up = "%[2]s %[3]s %[1]d up"
notify_down = "%[2]s %[3]s %[1]d down"
`, i, program, k.name)
	}
	return b.String()
}

// diary is a script that notes its arguments.
type diary struct{ program string }

func newDiary(t *testing.T) diary {
	t.Helper()
	program := filepath.Join(t.TempDir(), "note")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\" >> \"$0.log\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return diary{program}
}

// read returns what was noted until now, sorted, as "2 up, quorum up" by name.
func (d diary) read() (map[string]string, error) {
	text, err := os.ReadFile(d.program + ".log")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	notes := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		notes[name] = append(notes[name], what)
	}
	list := make(map[string]string)
	for name, n := range notes {
		slices.Sort(n) // keepalived runs them at the same time
		list[name] = strings.Join(n, ", ")
	}
	return list, nil
}

// wait waits until each kind has the notes of a step, and forgets them.
func (d diary) wait(t *testing.T, step string, want func(kind) string) {
	t.Helper()
	lab.WaitFor(t, ipvsd.Patience, step, func() error {
		got, err := d.read()
		for _, k := range kinds {
			notes := strings.Split(want(k), ", ")
			slices.Sort(notes)
			if w := strings.Join(notes, ", "); got[k.name] != w {
				err = errors.Join(err, fmt.Errorf("%s of %s: %q, want %q", k.name, filepath.Dir(d.program), got[k.name], w))
			}
		}
		return err
	})
	if err := os.Remove(d.program + ".log"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// Keepalived and ipvsd run the same scripts, and make the same table, when servers die and return, at the start and at the
// stop, for all kinds of virtual servers.
func TestKernelNotificationsAsKeepalived(t *testing.T) {
	bridge := lab.NewBridge(t, "internal", 1500)
	servers, theirs, ours := lab.NewHost(t, "servers"), lab.NewHost(t, "keepalived"), lab.NewHost(t, "ipvsd")
	theirs.Connect(bridge, "eth0", "10.0.100.101/24")
	ours.Connect(bridge, "eth0", "10.0.100.102/24")
	servers.Connect(bridge, "eth0", "10.0.100.2/24", "10.0.100.3/24", "10.0.100.4/24", "10.0.100.9/24")
	ipvsd.NewTarget(t, servers, "10.0.100.9:80").Start() // the sorry server, which keepalived does not check
	two, three, four := ipvsd.NewTarget(t, servers, "10.0.100.2:80"), ipvsd.NewTarget(t, servers, "10.0.100.3:80"), ipvsd.NewTarget(t, servers, "10.0.100.4:80")
	all := []*ipvsd.Target{two, three, four}

	their, our := newDiary(t), newDiary(t)
	theirConfig := "global_defs {\n\trouter_id lab\n\tscript_user root\n}\n"
	ourConfig := "[global_defs]\nscript_user = \"root\"\nlvs_flush_on_stop = true\n"
	for i, k := range kinds {
		theirConfig += k.keepalived(i+1, their.program)
		ourConfig += k.ipvsd(i+1, our.program)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(theirConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	d := ipvsd.New(t, ours, ourConfig)
	var keepalived *lab.Process
	both := func(step string, begin func()) {
		t.Helper()
		begin()
		their.wait(t, step, func(k kind) string {
			if special, ok := k.theirs[step]; ok {
				return special
			}
			return k.want[step]
		})
		our.wait(t, step, func(k kind) string { return k.want[step] })
		lab.WaitFor(t, ipvsd.Patience, step+": the same table", func() error {
			a, err := ipvsd.Saved(theirs)
			b, err2 := ipvsd.Saved(ours)
			if err = errors.Join(err, err2); a != b {
				err = errors.Join(err, fmt.Errorf("keepalived made\n%s\nand ipvsd\n%s", a, b))
			}
			return err
		})
	}
	start := func() {
		keepalived = theirs.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--check", "--use-file", conf,
			"--pid", filepath.Join(dir, "pid"), "--checkers_pid", filepath.Join(dir, "checkers"))
		d.Start()
	}
	stop := func() {
		if err := keepalived.Stop(); err != nil {
			t.Fatal(err)
		}
		d.Stop()
	}
	for _, s := range all {
		s.Start()
	}
	both(startUp, start)
	both(fourDies, four.Stop)
	both(threeDies, three.Stop)
	both(twoDies, two.Stop)
	both(twoReturns, two.Start)
	both(threeReturns, three.Start)
	both(fourReturns, four.Start)
	both(stopUp, stop)
	for _, s := range all {
		s.Stop()
	}
	both(startDead, start)
	both(twoComes, two.Start)
	both(stopOne, stop)
}

// What surrounds a script is nothing of the daemon's: not its rights, its variables, its files, nor what it does with signals.
func TestKernelScriptSurroundings(t *testing.T) {
	host := lab.NewHost(t, "director")
	dir, err := os.MkdirTemp("", "surroundings-") //nolint:usetesting // nobody can't enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	program, out := filepath.Join(dir, "tell"), filepath.Join(dir, "out")
	text := `#!/bin/sh
{ id -un; id -Gn; pwd; env | sort | grep -v -e ^PWD= -e ^OLDPWD= -e ^_= -e ^SHLVL=; readlink /proc/$$/fd/0; ls -l /proc/$$/fd | grep -c -e socket -e eventpoll -e ipvsd
grep -e SigBlk -e SigIgn /proc/$$/status; ps -o pgid= -p $$ | tr -d ' ' | sed "s/^$$\$/leader/"; echo "$1"; } > "$2.new"
mv "$2.new" "$2"
`
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	ipvsd.Start(t, host, fmt.Sprintf(`
[global_defs]
script_user = "nobody"
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
real_servers = ["192.0.2.2:80"]
quorum_up = "%s '$(id) *' %s"
`, program, out), "SECRET=x")
	var got []byte
	lab.WaitFor(t, ipvsd.Patience, "the script", func() (err error) {
		got, err = os.ReadFile(out)
		return err
	})
	want := `nobody
nogroup
/
HOME=/nonexistent
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
/dev/null
0
SigBlk:	0000000000000000
SigIgn:	0000000000000000
leader
$(id) *
`
	if string(got) != want {
		t.Errorf("it saw\n%s\nwant\n%s", got, want)
	}
}
