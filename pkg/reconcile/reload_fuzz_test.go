package reconcile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/difference"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// Whatever two configurations say that are accepted: from one of them to the other the kernel refuses nothing, and in the end has what the
// second one says, and nothing of the first.
func FuzzReload(f *testing.F) {
	for _, pair := range [][2]string{
		{"", "[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\nlb_algo = \"rr\"\nreal_servers = [\"198.51.100.1:80\", \"198.51.100.2:80\"]\n"},
		{
			"[[virtual_server]]\nfwmark = 7\nlb_algo = \"wlc\"\nlb_kind = \"DR\"\nreal_servers = [\"198.51.100.1\", \"198.51.100.2\"]\ndrain_timeout = 60\nTCP_CHECK = { connect_port = 80 }\n",
			"[[virtual_server]]\nfwmark = 7\nlb_algo = \"sh\"\nlb_kind = \"TUN\"\nreal_servers = [\"198.51.100.2\", \"198.51.100.3\"]\nTCP_CHECK = { connect_port = 80 }\n",
		},
	} {
		f.Add([]byte(pair[0]), []byte(pair[1]))
		f.Add([]byte(pair[1]), []byte(pair[0]))
	}
	files, err := filepath.Glob("../../examples/*.toml")
	if err != nil || len(files) < 2 {
		f.Fatal(files, err)
	}
	var last []byte
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(last, text)
		last = text
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		was, _ := config.Load("was.toml", first)
		is, _ := config.Load("is.toml", second)
		if was == nil || is == nil {
			return
		}
		_ = difference.Of(was, is)
		k := new(ipvstest.Kernel)
		r, ledger := reconcile.New(k), desired.NewLedger(make(desired.Owned))
		now := time.Unix(1e9, 0)
		var removed []*config.VirtualServer
		for _, cfg := range []*config.Config{was, is} {
			ledger.Follow(removed, cfg.VirtualServers, now)
			removed = cfg.VirtualServers
			facts := desired.Facts{Verdicts: make(desired.Verdicts), Now: now}
			for id := range cfg.Checks() {
				facts.Verdicts[id] = health.Checker{Standing: health.Standing{State: health.Up}}
			}
			for range 4 { // what waits until others have come, what has drained, what has to be in order then
				facts.Owned, facts.Left = ledger.Owned, ledger.Left
				got, err := r.Round(t.Context(), now, desired.Compute(cfg, facts), reconcile.Whole)
				if err != nil || len(got.Refused)+len(got.Drift) > 0 {
					t.Fatalf("%v, refused: %+v, drift: %v", err, got.Refused, got.Drift)
				}
				ledger.Forget(snapshot(t, k))
			}
			if ledger.Leaving() {
				t.Fatalf("to leave still: %v, %v", ledger.Owned, ledger.Left)
			}
			want := desired.Compute(cfg, desired.Facts{Verdicts: facts.Verdicts, Now: now})
			holds(t, snapshot(t, k), want)
			if plan := reconcile.Diff(snapshot(t, k), want); !plan.Empty() || len(plan.Foreign) > 0 {
				t.Errorf("left to do: %v; nobody's: %v", plan.Steps, plan.Foreign)
			}
		}
	})
}
