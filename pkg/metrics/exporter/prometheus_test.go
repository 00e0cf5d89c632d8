package exporter

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// Prometheus itself takes what it is told, in the format that it asks for, and every series of it: the first thing that an alert of
// alerts.yml needs. Without it: make tools.
func TestPrometheus(t *testing.T) {
	e := telling(director())
	l := NewListener(e, slog.New(slog.DiscardHandler))
	target := httptest.NewServer(l.handler)
	defer target.Close()

	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: ipvsd, static_configs: [{targets: [%q]}]}]\n", target.Listener.Addr())
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	_ = free.Close()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+at)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()

	// query returns the value of what is one number.
	query := func(text string) (string, error) {
		answer, err := http.Get("http://" + at + "/api/v1/query?query=" + url.QueryEscape(text))
		if err != nil {
			return "", err
		}
		defer answer.Body.Close() //nolint:errcheck // it was read
		var found struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
			return "", err
		}
		if len(found.Data.Result) != 1 {
			return "", fmt.Errorf("%d results", len(found.Data.Result))
		}
		return fmt.Sprint(found.Data.Result[0].Value[1]), nil
	}
	for text, want := range map[string]string{
		`up{job="ipvsd"}`: "1",
		`sum(ipvsd_service_connections_total{service="tcp 192.0.2.1:80"})`:                    "1152921504606847000",
		`histogram_quantile(0.3, ipvsd_check_probe_duration_seconds_bucket{type="HTTP_GET"})`: "0.0009",
		`count({__name__=~"ipvsd_.*"})`:                                                       strconv.Itoa(len(regexp.MustCompile(`(?m)^ipvsd_`).FindAllString(scraped(t, e), -1))),
	} {
		lab.WaitFor(t, time.Minute, text, func() error {
			got, err := query(text)
			if err == nil && got != want {
				err = fmt.Errorf("it is %s, want %s", got, want)
			}
			return err
		})
	}
}
