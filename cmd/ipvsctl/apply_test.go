package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// shelf is the part of a fake that is about configurations.
type shelf struct {
	applied  control.Application
	back     control.Return
	answered status.Answer
	refused  error // of Apply, Rollback, Confirm
	others   []control.Neighbor
	lost     error // of Neighbors
}

func (s *shelf) Neighbors(_ context.Context, name string) ([]control.Neighbor, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	if len(s.others) == 0 {
		return nil, control.NoNeighbor(name, nil)
	}
	return s.others, nil
}

func (s *shelf) Apply(_ context.Context, a control.Application) (*status.Answer, error) {
	s.applied = a
	return &s.answered, s.refused
}

func (s *shelf) Rollback(_ context.Context, r control.Return) (*status.Answer, error) {
	s.back = r
	return &s.answered, s.refused
}

func (s *shelf) Confirm(context.Context) (*status.Revision, error) {
	return &status.Revision{Number: 7}, s.refused
}

func (s *shelf) History(context.Context) (*status.History, error) { //nolint:unparam // as control.Backend has it
	return &status.History{At: at, Revisions: []status.Revision{{Number: 7, Taken: at, Why: status.ByApply, Who: "root", From: "/root/new.toml", Hash: "abcdef0123456789"}}}, nil
}

func (s *shelf) Revision(_ context.Context, n int) (*control.File, error) {
	if n != 7 {
		return nil, &control.ConflictError{Text: "there is no configuration 8 in the history: it has 7 to 7"}
	}
	return &control.File{Name: "/etc/ipvsd/ipvsd.toml", Text: []byte("# seven\n"), Texts: map[string][]byte{"/etc/a.conf": []byte("# included\n")}}, nil
}

func TestConfigurationVerbs(t *testing.T) {
	waits := shelf{answered: status.Answer{Changes: []string{"add server x"}, Pending: &status.Pending{Revision: 8, Back: 7, Left: time.Minute, Who: "root"}}}
	path := file(t, good)
	for _, tt := range []struct {
		name           string
		daemon         *fake
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"apply", &fake{shelf: waits}, []string{"apply", path, "--confirm", "60s"}, 0, "configuration 8 of root waits for its confirmation, for 1m0s more; without it, configuration 7 returns\nipvsctl confirm keeps it", ""},
		{"apply of a bad file", &fake{shelf: shelf{answered: status.Answer{Rejected: "f:1:1: no\n"}}}, []string{"apply", path}, 3, "", "f:1:1: no\nthe file is refused; what ran before stays in force\n"},
		{"apply that the kernel refuses", &fake{shelf: shelf{answered: status.Answer{Refused: []string{"no"}}}}, []string{"apply", path}, 1, "", "refused: no\n"},
		{"apply at the wrong time", &fake{shelf: shelf{refused: &control.ConflictError{Text: "one waits"}}}, []string{"apply", path}, 1, "", "ipvsctl: one waits\n"},
		{"apply for too short", &fake{}, []string{"apply", path, "--confirm", "10ms"}, 1, "", "it can be from 1s to 24h"},
		{"apply of nothing", &fake{}, []string{"apply"}, 2, "", "the form is ipvsctl apply FILE"},
		{"apply without a daemon", nil, []string{"apply", path}, 1, "", "no ipvsd is listening"},
		{"confirm", &fake{}, []string{"confirm"}, 0, "configuration 7 stays\n", ""},
		{"confirm too late", &fake{shelf: shelf{refused: &control.ConflictError{Text: "none waits"}}}, []string{"confirm"}, 1, "", "none waits"},
		{"rollback", &fake{}, []string{"rollback", "7", "--force"}, 0, "", ""},
		{"rollback of no number", &fake{}, []string{"rollback", "x"}, 2, "", `"x" is no number of ipvsctl history`},
		{"history", &fake{}, []string{"history"}, 0, "abcdef012345  /root/new.toml", ""},
		{"history show", &fake{}, []string{"history", "show", "7"}, 0, "# seven\n", ""},
		{"history show of an include", &fake{}, []string{"history", "show", "7", "--include", "/etc/a.conf"}, 0, "# included\n", ""},
		{"history show of no include", &fake{}, []string{"history", "show", "7", "--include", "/etc/b.conf"}, 1, "", `it included ["/etc/a.conf"]`},
		{"history show of none", &fake{}, []string{"history", "show", "8"}, 1, "", "it has 7 to 7"},
		{"plan against two", &fake{}, []string{"plan", path, "--against", "7"}, 2, "", "is another one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := ctl(t, tt.daemon, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, tt.code, stdout, stderr)
			}
		})
	}
}

// What is sent is what was asked for.
func TestConfigurationIsSent(t *testing.T) {
	d, path := &fake{}, file(t, good)
	if code, _, stderr := ctl(t, d, "apply", path, "--confirm", "1m", "--reason", "new web servers", "--strict", "--force"); code != 0 {
		t.Fatal(stderr)
	}
	want := control.Taking{Confirm: time.Minute, Reason: "new web servers", Strict: true, Force: true}
	if d.applied.Name != path || string(d.applied.Text) != good || d.applied.Taking != want {
		t.Errorf("sent %+v", d.applied)
	}
	if code, _, stderr := ctl(t, d, "rollback", "7", "--confirm", "1m"); code != 0 || d.back != (control.Return{Number: 7, Taking: control.Taking{Confirm: time.Minute}}) {
		t.Errorf("%s: sent %+v", stderr, d.back)
	}
	if code, _, stderr := ctl(t, d, "plan", "--against", "7"); code != 0 || d.planned == nil || string(d.planned.Text) != "# seven\n" || len(d.planned.Texts) != 1 {
		t.Errorf("%s: planned %+v", stderr, d.planned)
	}
}

// diff tells what other directors have otherwise, and a switchover to one that is poorer is refused without --force.
func TestOtherDirectors(t *testing.T) {
	alike, _ := new(fake).Status(t.Context())
	alike.RouterID = "lb2"
	poorer, _ := new(fake).Status(t.Context())
	poorer.RouterID, poorer.Services = "lb2", nil
	weighs, _ := new(fake).Status(t.Context())
	weighs.Services[0].Servers[0].Weight = 7
	one := func(s *status.Snapshot) shelf { return shelf{others: []control.Neighbor{{Name: "second", Status: s}}} }
	dead := shelf{others: []control.Neighbor{{Name: "second", Err: errors.New("no route to host")}}}
	both := in("MASTER", false)
	alike.VRRP, poorer.VRRP, weighs.VRRP = &both, &both, &both
	nobody := &pair{steps: []status.VRRP{both}} // takes over
	const lost = "! tcp 192.0.2.1:80: service: configured here, - there\n"
	for _, tt := range []struct {
		name           string
		daemon         *fake
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"alike", &fake{shelf: one(alike), routers: nobody}, []string{"diff"}, 0, "lb1 and lb2 are alike\n", ""},
		{"poorer", &fake{shelf: one(poorer), routers: nobody}, []string{"diff", "second"}, 2, lost, ""},
		{"as JSON", &fake{shelf: one(poorer), routers: nobody}, []string{"diff", "-o", "json"}, 2, `"poorer": true`, ""},
		{"dead", &fake{shelf: dead}, []string{"diff"}, 1, "second: it is not known how it is: no route to host\n", ""},
		{"none", &fake{}, []string{"diff"}, 1, "", "no other director is configured"},
		{"switchover to a poorer one", &fake{shelf: one(poorer), routers: nobody}, []string{"switchover", "VG"}, 1, "", lost + "ipvsctl: nothing was handed over, since clients would be worse off; ipvsctl diff tells all differences, --force hands over all the same\n"},
		{"forced", &fake{shelf: one(poorer), routers: nobody}, []string{"switchover", "VG", "--force"}, 1, "VG: not handed over", lost},
		{"switchover to another one", &fake{shelf: one(weighs), routers: nobody}, []string{"switchover", "VG"}, 1, "VG: not handed over", ""},
		{"switchover without a comparison", &fake{shelf: shelf{lost: errors.New("the daemon is busy")}, routers: nobody}, []string{"switchover", "VG"}, 1, "VG: not handed over", "worse off with another director: the daemon is busy\n"},
		{"switchover of one without others", &fake{}, []string{"switchover", "VG"}, 1, "", "ipvsctl: there are no virtual routers here"},
		{"switchover to a dead one", &fake{shelf: dead, routers: nobody}, []string{"switchover", "VG"}, 1, "VG: not handed over", "second: it is not known how it is: no route to host\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := ctl(t, tt.daemon, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, tt.code, stdout, stderr)
			}
		})
	}
}
