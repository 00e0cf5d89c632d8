package daemon

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// A reload that changes no more than the timing of the checks forgets no verdict: a dead server stays out, alpha or not, a
// server that left the file goes at once, and one that somebody deletes is put back.
func TestReloadWithNewTimingKeepsVerdicts(t *testing.T) {
	for _, alpha := range []string{"", "alpha = false\n"} {
		t.Run(alpha, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := strings.Replace(web, "retry = 1\n", "retry = 1\n"+alpha, 1)
				h := start(t, new(ipvstest.Kernel), t.TempDir(), text, second)
				h.pass(10 * time.Second)
				h.wantServing("before", first, third)
				h.kernel.OnChange(func(table ipvs.Table) {
					if table[0].Destination(second) != nil {
						t.Error("a dead server is in the table")
					}
				})
				slower := strings.Replace(text, "delay_loop = 3", "delay_loop = 600", 1)
				h.write(slower)
				if plan, err := h.Plan(t.Context(), nil); err != nil || len(plan.Changes)+len(plan.Waiting) != 0 {
					t.Errorf("plan: %v %+v", err, plan)
				}
				if a := h.reloaded(); len(a.Changes)+len(a.Waiting) != 0 {
					t.Errorf("reload: %+v", a)
				}
				h.pass(time.Second)
				h.wantServing("after", first, third)

				h.write(strings.Replace(strings.Replace(slower, "600", "700", 1), `, "198.51.100.3:80"`, "", 1))
				h.reloaded()
				h.pass(time.Second)
				h.wantServing("without the third", first)
				if _, err := h.kernel.Apply(t.Context(), []ipvs.Command{
					{Op: ipvs.DelDestination, Service: ipvs.Service{ServiceKey: webKey}, Destination: ipvs.Destination{Addr: first}},
				}); err != nil {
					t.Fatal(err)
				}
				h.pass(sweep * resync)
				h.wantServing("repaired", first)
				h.stop()
			})
		})
	}
}

// A stop doesn't wait for news that nobody takes any more.
func TestStopWithMuchNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		var servers strings.Builder
		for n := range 20000 {
			fmt.Fprintf(&servers, "%q,", fmt.Sprintf("10.0.%d.%d:80", n/250, n%250+1))
		}
		h.write(strings.Replace(web, `"198.51.100.1:80", `, servers.String(), 1))
		if _, err := h.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.stop()
	})
}
