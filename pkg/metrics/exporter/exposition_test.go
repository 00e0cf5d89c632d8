package exporter

import (
	"bytes"
	"context"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/metrics"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// scraped returns the answer to a scrape.
func scraped(t testing.TB, e *Exporter) string {
	t.Helper()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("status %d, %v: %s", w.Code, w.Header(), w.Body)
	}
	return w.Body.String()
}

func telling(f *metrics.Facts) *Exporter {
	return New("1.2.3", func(context.Context) (*metrics.Facts, error) { return f, nil })
}

// others are the lines of an exposition that are about the process, Go, and the build.
var others = regexp.MustCompile(`(?m)^(# \w+ )?(go_|process_|ipvsd_build_info).*\n`)

// What a scrape answers is the same, byte by byte, for the same facts, and what it was before.
func TestExposition(t *testing.T) {
	first, second := scraped(t, telling(director())), scraped(t, telling(director()))
	text := others.ReplaceAllString(first, "")
	if text != others.ReplaceAllString(second, "") {
		t.Error("the same facts are told in two ways")
	}
	if !strings.Contains(first, `ipvsd_build_info{goversion="go1.`) || !strings.Contains(first, `version="1.2.3"} 1`) || !strings.Contains(first, "\nprocess_start_time_seconds ") {
		t.Error("nothing is told of the build, or of the process")
	}
	if strings.Contains(first, "secret") {
		t.Error("an error of a server is told")
	}
	golden.Check(t, "testdata/exposition.golden", []byte(text))
}

// Names, units and help are as Prometheus' conventions want them, and no series is there twice.
func TestLint(t *testing.T) {
	text := scraped(t, telling(director()))
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(text) {
		series, _, _ := cutLast(line, " ")
		if line[0] != '#' && seen[series] {
			t.Errorf("twice: %s", series)
		}
		seen[series] = true
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Names has the names of all series.
func TestNames(t *testing.T) {
	e := telling(director())
	e.requests.WithLabelValues("/v1/status", "200")
	e.duration.WithLabelValues("/v1/status")
	told := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^(ipvsd_\w+)`).FindAllString(scraped(t, e), -1) {
		told[m] = true
	}
	names := Names()
	for _, name := range names {
		if !told[name] {
			t.Errorf("%s has no series, although there is something of everything", name)
		}
		delete(told, name)
	}
	for name := range told {
		t.Errorf("Names lacks %s", name)
	}
	if own := slices.Clone(metrics.Names()); !slices.IsSorted(own[:3]) || len(own) < 90 {
		t.Errorf("%d names", len(own))
	}
}

// With more servers than the limit none has series, nor if they are switched off; a metric says of how many. The service has what they
// come to all the same.
func TestFewerSeries(t *testing.T) {
	for _, limits := range []metrics.Limits{{PerServer: true, Servers: 3}, {Servers: 1000}} {
		f := director()
		f.Limits = limits
		text := scraped(t, telling(f))
		if strings.Contains(text, `server="`) || !strings.Contains(text, "\nipvsd_server_series_omitted 4\n") {
			t.Errorf("%+v:\n%s", limits, text)
		}
		if !strings.Contains(text, "\nipvsd_service_active_connections{service=\"tcp 192.0.2.1:80\"} 7\n") {
			t.Errorf("%+v: nothing of the service's connections", limits)
		}
	}
	if text := scraped(t, telling(director())); !strings.Contains(text, "\nipvsd_server_series_omitted 0\n") {
		t.Error("series are missing without need")
	}
}

// Counters of a table that could not be read are left out: a 0 would look as if they had begun anew.
func TestUnread(t *testing.T) {
	f := director()
	f.Read = false
	text := scraped(t, telling(f))
	if found := regexp.MustCompile(`(?m)^ipvsd_(service|server)_(\w+_total|\w+_connections|in_table|table_weight|servers_serving)\b`).FindString(text); found != "" {
		t.Error(found)
	}
	if !strings.Contains(text, "\nipvsd_server_up{") || !strings.Contains(text, "\nipvsd_table_available 0\n") {
		t.Error("what is known is not told")
	}
}

// A director without virtual routers, sync daemons, alerts tells nothing of them, but of itself.
func TestLittle(t *testing.T) {
	f := director()
	f.VRRP, f.Settings, f.Services, f.Alerts = nil, nil, nil, nil
	text := scraped(t, telling(f))
	if bytes.Contains([]byte(text), []byte("vrrp")) || strings.Contains(text, "ipvsd_sync_daemon_running") || !strings.Contains(text, "ipvsd_config_last_reload_successful 0\n") {
		t.Error(text)
	}
}

// Two sources of one name, such as that of two name servers, are one series, which is up if both are.
func TestSourcesOfOneName(t *testing.T) {
	f := director()
	f.Sources = append(f.Sources, status.Source{Source: "dns web.example.org", Servers: 3, Error: "refused", Failed: loaded})
	text := scraped(t, telling(f))
	for _, line := range []string{"servers", "up"} {
		name := "ipvsd_member_source_" + line + `{source="dns web.example.org"}`
		if want := map[string]string{"servers": " 5\n", "up": " 0\n"}[line]; strings.Count(text, name) != 1 || !strings.Contains(text, name+want) {
			t.Errorf("%s is not there once, as%s", name, want)
		}
	}
}
