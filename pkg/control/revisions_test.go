package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// shelf is the part of a backend that is about configurations.
type shelf struct {
	applied control.Application
	back    control.Return
	who     string
	refusal error
	others  []control.Neighbor
}

func (s *shelf) Neighbors(_ context.Context, name string) ([]control.Neighbor, error) {
	if name == "lb9" {
		return nil, control.NoNeighbor(name, []string{"lb2"})
	}
	return s.others, s.refusal
}

func (s *shelf) Apply(ctx context.Context, a control.Application) (*status.Answer, error) {
	s.applied, s.who = a, control.WhoOf(ctx).String()
	return &status.Answer{Changes: []string{"add"}, Revision: 8}, s.refusal
}

func (s *shelf) Rollback(_ context.Context, r control.Return) (*status.Answer, error) {
	s.back = r
	return &status.Answer{Changes: []string{}, Rejected: "no longer valid"}, s.refusal
}

func (s *shelf) Confirm(context.Context) (*status.Revision, error) {
	return &status.Revision{Number: 8}, s.refusal
}

func (s *shelf) History(context.Context) (*status.History, error) {
	return &status.History{Revisions: []status.Revision{}}, s.refusal
}

func (s *shelf) Revision(_ context.Context, n int) (*control.File, error) {
	return &control.File{Name: "x", Text: []byte{byte(n)}}, s.refusal
}

// What is sent arrives, and so do answers and refusals.
func TestConfigurationsByRequest(t *testing.T) {
	b := &backend{}
	c, _ := serve(t, b)
	taking := control.Taking{Confirm: time.Minute, Force: true, Strict: true, Reason: "because"}
	a, err := c.Apply(t.Context(), control.Application{Name: "new.toml", Text: []byte("x = \xff"), Taking: taking})
	if err != nil || a.Revision != 8 || b.applied.Name != "new.toml" || string(b.applied.Text) != "x = \xff" || b.applied.Taking != taking || b.who == "" {
		t.Errorf("apply: %v %+v, arrived %+v of %q", err, a, b.applied, b.who)
	}
	if a, err := c.Rollback(t.Context(), control.Return{Number: 3, Taking: taking}); err != nil || a.Rejected == "" || b.back.Number != 3 || b.back.Taking != taking {
		t.Errorf("rollback: %v %+v, arrived %+v", err, a, b.back)
	}
	if r, err := c.Confirm(t.Context()); err != nil || r.Number != 8 {
		t.Errorf("confirm: %v %+v", err, r)
	}
	if f, err := c.Revision(t.Context(), 9); err != nil || string(f.Text) != "\x09" {
		t.Errorf("revision: %v %+v", err, f)
	}
	if h, err := c.History(t.Context()); err != nil || h.Revisions == nil {
		t.Errorf("history: %v %+v", err, h)
	}
	for _, d := range []time.Duration{-1, time.Millisecond, 25 * time.Hour} {
		if _, err := c.Apply(t.Context(), control.Application{Taking: control.Taking{Confirm: d}}); err == nil || !strings.Contains(err.Error(), "from 1s to 24h") {
			t.Errorf("confirm %v: %v", d, err)
		}
	}
	b.refusal = &control.ConflictError{Text: "one waits: ipvsctl confirm"}
	_, applied := c.Apply(t.Context(), control.Application{})
	_, back := c.Rollback(t.Context(), control.Return{})
	_, confirmed := c.Confirm(t.Context())
	_, shown := c.Revision(t.Context(), 1)
	for _, err := range []error{applied, back, confirmed, shown} {
		if err == nil || err.Error() != "one waits: ipvsctl confirm" {
			t.Errorf("refused: %v", err)
		}
	}
}

// Other directors are compared with this one, by name or all; one that does not answer is told, too.
func TestCompare(t *testing.T) {
	b := &backend{status: &status.Snapshot{RouterID: "lb1"}}
	b.others = []control.Neighbor{{Name: "second", Status: &status.Snapshot{RouterID: "lb2", Table: status.Table{Error: "no module"}}}, {Name: "third", Err: errors.New("dead")}}
	c, _ := serve(t, b)
	all, err := c.Compare(t.Context(), "")
	if err != nil || len(all.Peers) != 2 || len(all.Peers[0].Differences) != 1 || all.Peers[0].There != "lb2" || all.Peers[0].Here != "lb1" || all.Peers[1].Error != "dead" {
		t.Errorf("%v: %+v", err, all)
	}
	if _, err := c.Compare(t.Context(), "lb9"); err == nil || err.Error() != `there is no director "lb9" in [global_defs.peers]: there is ["lb2"]` {
		t.Errorf("of no such name: %v", err)
	}
}
