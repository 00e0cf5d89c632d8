//go:build kernel

package likeness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// audience is who is told of transitions: a script that writes its arguments into a file, and a reader of the FIFO. What each of
// them heard is a list of lines.
type audience struct {
	t   *testing.T
	dir string
}

func newAudience(t *testing.T, h *lab.Host) *audience {
	t.Helper()
	a := &audience{t: t, dir: t.TempDir()}
	for name, text := range map[string]string{
		"script": "#!/bin/sh\necho \"$*\" >> " + a.path("said") + "\n",
		// keepalived makes its FIFO anew with every reload.
		"reader":   "#!/bin/bash\nwhile sleep 0.01; do [ -p " + a.path("fifo") + " ] && cat " + a.path("fifo") + " >> " + a.path("lines") + "; done\n",
		"priority": "0\n", "said": "", "lines": "",
	} {
		if err := os.WriteFile(a.path(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.Start(a.path("reader"))
	return a
}

func (a *audience) path(name string) string { return filepath.Join(a.dir, name) }

func (a *audience) heard(name string) []string {
	text, err := os.ReadFile(a.path(name))
	if err != nil {
		a.t.Fatal(err)
	}
	lines := strings.Split(ipvsd.Trim(string(text)), "\n")
	return slices.Compact(lines) // MASTER_RX_LOWER_PRI comes with every advert
}

// wait waits until the FIFO's reader has a line, and the script was called with some arguments.
func (a *audience) wait(line, said string) {
	a.t.Helper()
	for name, want := range map[string]string{"lines": line, "said": said} {
		lab.WaitFor(a.t, ipvsd.Patience, want, func() error {
			if list := a.heard(name); !slices.Contains(list, want) {
				return fmt.Errorf("there are\n%s", strings.Join(list, "\n"))
			}
			return nil
		})
	}
}

// forget begins a chapter, lest a line of an earlier one is waited for.
func (a *audience) forget() (lines, said []string) {
	lines, said = a.heard("lines"), a.heard("said")
	for _, name := range []string{"lines", "said"} {
		if err := os.Truncate(a.path(name), 0); err != nil {
			a.t.Fatal(err)
		}
	}
	return lines, said
}

// notifying is what both tools are told, as {keyword value} blocks that either can read.
type notifying struct {
	name, dev  string
	vrid       int
	addr       string
	file, tell bool // track_file, notify_deleted
}

func (a *audience) keepalived(list []notifying) string {
	var b strings.Builder
	events := func(name string, more ...string) {
		for _, e := range append([]string{"master", "backup", "fault", "stop"}, more...) {
			fmt.Fprintf(&b, "  notify_%s \"%s %s %s\"\n", e, a.path("script"), name, e)
		}
		fmt.Fprintf(&b, "  notify \"%s any\"\n", a.path("script"))
	}
	fmt.Fprintf(&b, "global_defs {\n  script_user root\n  vrrp_version 3\n  vrrp_notify_fifo %s\n}\nvrrp_track_file load {\n  file %s\n}\n",
		a.path("fifo"), a.path("priority"))
	b.WriteString("vrrp_sync_group G1 {\n  group {\n    VI_1\n    VI_2\n  }\n")
	events("G1")
	b.WriteString("}\n")
	for _, i := range list {
		fmt.Fprintf(&b, "vrrp_instance %s {\n  interface %s\n  virtual_router_id %d\n  priority 100\n  advert_int 0.3\n  notify_priority_changes\n  virtual_ipaddress {\n    %s\n  }\n",
			i.name, i.dev, i.vrid, i.addr)
		if i.file {
			b.WriteString("  track_file {\n    load weight 10\n  }\n")
		}
		if i.tell {
			events(i.name, "master_rx_lower_pri", "deleted")
		} else {
			events(i.name, "master_rx_lower_pri")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func (a *audience) ipvsd(list []notifying) string {
	var b strings.Builder
	events := func(name string, more ...string) {
		for _, e := range append([]string{"master", "backup", "fault", "stop"}, more...) {
			fmt.Fprintf(&b, "notify_%s = \"%s %s %s\"\n", e, a.path("script"), name, e)
		}
		fmt.Fprintf(&b, "notify = \"%s any\"\n", a.path("script"))
	}
	fmt.Fprintf(&b, "[global_defs]\nscript_user = \"root\"\nvrrp_version = 3\nvrrp_notify_fifo = %q\n[track_file.load]\nfile = %q\n",
		a.path("fifo"), a.path("priority"))
	b.WriteString("[vrrp_sync_group.G1]\ngroup = [\"VI_1\", \"VI_2\"]\n")
	events("G1")
	for _, i := range list {
		fmt.Fprintf(&b, "[vrrp_instance.%s]\ninterface = %q\nvirtual_router_id = %d\npriority = 100\nadvert_int = 0.3\nnotify_priority_changes = true\nvirtual_ipaddress = [%q]\n",
			i.name, i.dev, i.vrid, i.addr)
		if i.file {
			b.WriteString("track_file = [\"load weight 10\"]\n")
		}
		if i.tell {
			events(i.name, "master_rx_lower_pri", "deleted")
		} else {
			events(i.name, "master_rx_lower_pri")
		}
	}
	return b.String()
}

// chapter is what was heard during a part of the story.
type chapter struct {
	title       string
	lines, said []string
}

// story is what happens to a director with a daemon, and what its audience heard.
func story(t *testing.T, start func(*directors, *audience, []notifying) (reload func([]notifying), stop func())) (story []chapter) {
	t.Helper()
	x := newDirectors(t)
	a := newAudience(t, x.hosts[0])
	list := []notifying{
		{"VI_1", "eth0", 51, "192.168.1.200/24", false, false}, {"VI_2", "eth1", 52, "10.0.100.200/24", false, false},
		{"VI_3", "eth0", 53, "192.168.1.203/24", true, false}, {"VI_4", "eth0", 54, "192.168.1.204/24", false, true},
	}
	ends := func(title string) {
		lines, said := a.forget()
		story = append(story, chapter{title, lines, said})
	}
	reload, stop := start(x, a, list)
	a.wait(`GROUP "G1" MASTER 0`, "any GROUP G1 MASTER 0")
	a.wait(`INSTANCE "VI_3" MASTER 100`, "any INSTANCE VI_3 MASTER 100")
	a.wait(`INSTANCE "VI_4" MASTER 100`, "VI_4 master")
	a.wait(`INSTANCE "VI_4" MASTER 100`, "any INSTANCE VI_4 MASTER 100")
	a.wait(`INSTANCE "VI_3" MASTER 100`, "VI_3 master")
	a.wait(`GROUP "G1" MASTER 0`, "G1 master")
	for _, name := range []string{"VI_1", "VI_2"} {
		a.wait(`GROUP "G1" MASTER 0`, name+" master")
		a.wait(`GROUP "G1" MASTER 0`, "any INSTANCE "+name+" MASTER 100")
	}
	ends("start")

	of := func(state, word string) {
		for _, name := range []string{"VI_1", "VI_2"} {
			a.wait(`INSTANCE "`+name+`" `+state+" 100", "any INSTANCE "+name+" "+state+" 100")
			a.wait(`INSTANCE "`+name+`" `+state+" 100", name+" "+word)
		}
		a.wait(`GROUP "G1" `+state+" 0", "any GROUP G1 "+state+" 0")
		a.wait(`GROUP "G1" `+state+" 0", "G1 "+word)
	}
	x.internal.Unplug(x.hosts[0])
	of("FAULT", "fault")
	ends("a cable pulled")
	x.internal.Plug(x.hosts[0])
	of("MASTER", "master")
	ends("and put in again")

	if err := os.WriteFile(a.path("priority"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lab.WaitFor(t, ipvsd.Patience, "the priority", func() error {
		if list := a.heard("lines"); !slices.Contains(list, `INSTANCE "VI_3" MASTER_PRIORITY 110`) {
			return fmt.Errorf("%q", list)
		}
		return nil
	})
	ends("another priority")

	// Another router that can't hear us, of lower priority.
	x.external.Deafen(x.hosts[1])
	conf := a.path("other")
	other := "global_defs {\n  vrrp_version 3\n}\nvrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 51\n  priority 50\n  advert_int 0.3\n  virtual_ipaddress {\n    192.168.1.200/24\n  }\n}\n"
	if err := os.WriteFile(conf, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	deaf := x.hosts[1].Start("keepalived", "-n", "-l", "-f", conf, "-p", a.path("p1"), "-r", a.path("p2"), "-c", a.path("p3"))
	a.wait(`INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100`, "VI_1 master_rx_lower_pri")
	deaf.Kill()
	ends("another active router")

	reload(list[:2])
	a.wait(`INSTANCE "VI_3" FAULT 110`, "any INSTANCE VI_3 FAULT 110")
	a.wait(`INSTANCE "VI_4" DELETED 100`, "any INSTANCE VI_4 DELETED 100")
	a.wait(`INSTANCE "VI_4" DELETED 100`, "VI_4 deleted")
	ends("two instances removed")

	stop()
	of("STOP", "stop")
	ends("stop")
	return story
}

// about returns the lines of a chapter that are about one of them.
func about(lines []string, who string, sorted bool) (list []string) {
	for _, l := range lines {
		if slices.Contains(strings.Fields(strings.ReplaceAll(l, `"`, "")), who) {
			list = append(list, l)
		}
	}
	if sorted {
		slices.Sort(list)
	}
	return list
}

// TestKernelNotifications: scripts and FIFO hear of ipvsd what they hear of keepalived, chapter by chapter. keepalived's scripts run at
// the same time, so theirs have no order; a line of the FIFO about a group follows those about its members, but for the first one.
func TestKernelNotifications(t *testing.T) {
	theirs := story(t, func(x *directors, a *audience, list []notifying) (func([]notifying), func()) {
		conf := a.path("keepalived.conf")
		write := func(list []notifying) {
			if err := os.WriteFile(conf, []byte(a.keepalived(list)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(list)
		p := x.hosts[0].Start("keepalived", "-n", "-l", "-D", "-f", conf, "-p", a.path("pid"), "-r", a.path("vpid"), "-c", a.path("cpid"))
		return func(list []notifying) {
			write(list)
			if err := syscall.Kill(p.PID(), syscall.SIGHUP); err != nil { // the parent, and not its children
				t.Fatal(err)
			}
		}, func() { _ = p.Stop() }
	})
	ours := story(t, func(x *directors, a *audience, list []notifying) (func([]notifying), func()) {
		d := ipvsd.Start(t, x.hosts[0], a.ipvsd(list))
		return func(list []notifying) { d.Load(a.ipvsd(list)) }, d.Stop
	})
	for i, c := range ours {
		for _, who := range []string{"VI_1", "VI_2", "VI_3", "VI_4", "G1"} {
			if got, want := about(c.lines, who, false), about(theirs[i].lines, who, false); !slices.Equal(got, want) {
				t.Errorf("%s: the FIFO says of %s %q, keepalived's %q", c.title, who, got, want)
			}
			if got, want := about(c.said, who, true), about(theirs[i].said, who, true); !slices.Equal(got, want) {
				t.Errorf("%s: scripts were told of %s %q, keepalived's %q", c.title, who, got, want)
			}
			// Ours have an order: the script of the state, then notify.
			var states []string
			for _, l := range about(c.said, who, false) {
				if words := strings.Fields(l); words[0] == "any" {
					states = append(states, "any "+strings.ToLower(words[3]))
				} else if words[1] != "master_rx_lower_pri" {
					states = append(states, words[1])
				}
			}
			for j := 1; j < len(states); j++ {
				if before, ok := strings.CutPrefix(states[j], "any "); ok && who != "VI_3" && before != states[j-1] {
					t.Errorf("%s: scripts of %s ran in the order %q", c.title, who, states)
				}
			}
		}
		if c.title == "a cable pulled" || c.title == "stop" {
			if last := c.lines[len(c.lines)-1]; !strings.HasPrefix(last, "GROUP") {
				t.Errorf("%s: the last line is %q", c.title, last)
			}
		}
	}
}
