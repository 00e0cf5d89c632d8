//go:build kernel

package likeness

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// A test of alerts arrives at the mail server and at the webhook that there are, and what is wrong with the others comes back.
func TestKernelAlertTest(t *testing.T) {
	h := lab.NewHost(t, "director")
	box := newMailbox(t, h)
	l, err := h.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan map[string]any, 10)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e map[string]any
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || r.URL.Path != "/hook" {
			http.NotFound(w, r)
			return
		}
		events <- e
	})}
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() { _ = web.Close() })
	d := ipvsd.Start(t, h, `
[global_defs]
router_id = "lb1"
smtp_server = "127.0.0.1"
notification_email = ["ops@example.org"]
[webhook.GOOD]
url = "http://127.0.0.1:8080/hook"
events = "vrrp"
[webhook.GONE]
url = "http://127.0.0.1:8080/secret-path"
[[virtual_server]]
address = "192.0.2.80:80"
protocol = "TCP"
checks = "off"
real_servers = ["10.0.0.2:80"]
`)
	got, err := d.Trial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	for _, one := range got.Trials {
		answers = append(answers, one.To+" "+one.Recipients+": "+one.Error)
	}
	want := []string{"mail server 127.0.0.1:25 ops@example.org: ", "webhook GOOD : ", "webhook GONE : status 404 Not Found"}
	if !slices.Equal(answers, want) {
		t.Errorf("%q, want %q", answers, want)
	}
	if e := <-events; e["event"] != "TEST" || e["director"] != "lb1" {
		t.Errorf("the webhook was told %v", e)
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	const mail = "ops@example.org|[lb1] Test of alerts||This is a test: ipvsctl alert test asked for it."
	if !slices.Contains(box.list, mail) { // among news of the server
		t.Errorf("the mailbox has %q, not %q", box.list, mail)
	}
}
