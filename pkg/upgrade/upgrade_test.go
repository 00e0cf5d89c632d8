package upgrade_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/upgrade"

	"github.com/ipvsd/ipvsd/pkg/admin"
)

func known() *upgrade.Knowledge {
	return &upgrade.Knowledge{
		Records: health.Records{KeyForm: 1, Checks: map[string]health.Record{"a": {State: health.Down, Failures: 3, Subject: "tcp 192.0.2.1:80, 10.0.0.1:80, TCP_CHECK 1"}}},
		Quorums: map[string]health.State{"tcp 192.0.2.1:80": health.Up},
		Told: map[string]upgrade.Told{"tcp 192.0.2.1:80": {
			Quorum: health.Up, Servers: []upgrade.Server{{Address: "10.0.0.1:80", State: health.Down, Checks: []health.State{health.Down, health.Up}}},
		}},
		Events: event.Past{Epoch: "abc", Last: 1, List: []event.Event{{Epoch: "abc", Sequence: 1}}},
	}
}

func TestRoundTrip(t *testing.T) {
	text, err := json.Marshal(known())
	if err != nil {
		t.Fatal(err)
	}
	got, err := upgrade.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(known(), got, cmpopts.IgnoreTypes(admin.State{}), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

// A newer version may say more, and an older one less. One that means something else is refused, with what to do.
func TestVersions(t *testing.T) {
	k, err := upgrade.Parse([]byte(`{"Quorums": {"a": "down"}, "Invented": {"later": 1}}`))
	if err != nil || k.Quorums["a"] != health.Down {
		t.Errorf("%+v, %v", k, err)
	}
	if err := (upgrade.Offer{Format: upgrade.Format}).Check(); err != nil {
		t.Error(err)
	}
	if err := (upgrade.Offer{Format: upgrade.Format + 1, Version: "v9"}).Check(); err == nil || !strings.Contains(err.Error(), "systemctl restart") || !strings.Contains(err.Error(), "v9") {
		t.Errorf("another format: %v", err)
	}
}

// Whatever is said is refused, or can be said again.
func FuzzParse(f *testing.F) {
	text, err := json.Marshal(known())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"Checks":{"a":{"State":"up","History":[{"State":"down"}]}},"Events":{"Epoch":"x","Last":9}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := upgrade.Parse(text)
		if err != nil {
			return
		}
		event.Resume(k.Events, "fresh", 4).Add(event.Event{})
		if _, err := json.Marshal(k); err != nil && !strings.Contains(err.Error(), "year") {
			t.Fatal(err)
		}
	})
}
