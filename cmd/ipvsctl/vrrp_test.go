package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// pair is two instances in a group. Each Status after a switchover is the next of these.
type pair struct {
	steps []status.VRRP
	err   error
	asked string
}

func (p *pair) Status(context.Context) (status.VRRP, error) {
	s := p.steps[0]
	if p.asked != "" && len(p.steps) > 1 {
		p.steps = p.steps[1:]
	}
	return s, nil
}

func (p *pair) Switchover(_ context.Context, name string) error {
	p.asked = name
	return p.err
}

// in returns the pair in a state.
func in(state string, handing bool) status.VRRP {
	router := func(name string) status.VirtualRouter {
		v := status.VirtualRouter{Name: name, Group: "VG", State: state, HandingOver: handing, Interface: "eth0", VRID: 7, Version: 3, Priority: 100, Effective: 90, Since: at, DownAdverts: 3}
		if state == "BACKUP" {
			v.ActiveRouter, v.ActivePriority = netip.MustParseAddr("192.0.2.2"), 80
		}
		return v
	}
	return status.VRRP{
		At: at, Instances: []status.VirtualRouter{router("A"), router("B"), {Name: "C", State: "FAULT", Faults: []string{"interface eth1 is down"}}},
		Groups: []status.SyncGroup{{Name: "VG", State: state, Members: []string{"A", "B"}, Since: at}},
	}
}

func TestVRRP(t *testing.T) {
	for args, want := range map[string][]string{
		"vrrp":                {"A         VG     eth0          7  MASTER", "90/100  this one", "interface eth1 is down", "VG     MASTER"},
		"vrrp A":              {"A  MASTER", "VRID 7 on eth0", "group VG"},
		"vrrp VG":             {"members   A B", "A  MASTER", "B  MASTER"},
		"explain vrrp":        {"this router dies", "C  FAULT", "interface eth1 is down"},
		"explain vrrp A":      {"this router stops", "a backup"},
		"status":              {"vrrp      3 instances, 2 MASTER, 1 FAULT", "fault     C for"},
		"vrrp -o json":        {`"name": "A"`, `"effective_priority": 90`},
		"explain vrrp -ojson": {`"if": "this router stops"`},
	} {
		code, out, errs := ctl(t, &fake{routers: &pair{steps: []status.VRRP{in("MASTER", false)}}}, strings.Fields(args)...)
		if code != 0 || errs != "" {
			t.Errorf("%s: %d, %s", args, code, errs)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: %q is missing in\n%s", args, w, out)
			}
		}
	}
	for args, want := range map[string]string{"vrrp X": `there is no instance or sync group "X"`, "explain vrrp X": `there is no instance or sync group "X"`} {
		code, _, errs := ctl(t, &fake{routers: &pair{steps: []status.VRRP{in("MASTER", false)}}}, strings.Fields(args)...)
		if code != exitFailure || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, %s", args, code, errs)
		}
	}
	for _, args := range []string{"vrrp A B", "explain vrrp A B", "explain x", "switchover", "switchover A B"} {
		if code, _, errs := ctl(t, nil, strings.Fields(args)...); code != exitUsage {
			t.Errorf("%s: %d, %s", args, code, errs)
		}
	}
	code, out, _ := ctl(t, &fake{}, "vrrp")
	if code != 0 || !strings.HasPrefix(out, "INSTANCE") {
		t.Errorf("without virtual routers: %d, %s", code, out)
	}
}

func TestSwitchover(t *testing.T) {
	under := in("MASTER", true)
	for name, test := range map[string]struct {
		p    *pair
		code int
		out  string
		errs string
	}{
		"done":   {&pair{steps: []status.VRRP{under, under, in("BACKUP", false)}}, 0, "VG: handed over to 192.0.2.2, took ", ""},
		"nobody": {&pair{steps: []status.VRRP{under, in("MASTER", false)}}, exitFailure, "VG: not handed over: no other router took over: this one serves as before, took ", ""},
		"refused": {
			&pair{steps: []status.VRRP{under}, err: errors.New("VG is BACKUP here: only the MASTER can hand over")}, exitFailure, "",
			"ipvsctl: VG is BACKUP here: only the MASTER can hand over\n",
		},
	} {
		code, out, errs := ctl(t, &fake{routers: test.p}, "switchover", "VG")
		if code != test.code || !strings.HasPrefix(out, test.out) || errs != test.errs || test.p.asked != "VG" {
			t.Errorf("%s: %d, %q, %q", name, code, out, errs)
		}
	}
	code, out, _ := ctl(t, &fake{routers: &pair{steps: []status.VRRP{under, in("BACKUP", false)}}}, "switchover", "A", "-o", "json")
	var r status.Switched
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || !r.Done || r.By.String() != "192.0.2.2" || r.Name != "A" {
		t.Errorf("%d, %s: %v", code, out, err)
	}
}
