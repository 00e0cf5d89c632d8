//go:build kernel

package daemon_test

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// What Prometheus is told are ipvsadm's counters, of the service and of each server, after traffic of ab's; a server that dies is told of.
// The port is at an address that comes later, which keeps nobody from starting; on the control socket it is the same.
func TestKernelMetrics(t *testing.T) {
	c := lab.NewWebCluster(t)
	const at, requests = "192.168.1.250", 300
	d := ipvsd.Start(t, c.Director, fmt.Sprintf(`[global_defs.metrics]
listen = "%s:9110"
[[virtual_server]]
address = %q
protocol = "TCP"
lb_algo = "rr"
delay_loop = 1
TCP_CHECK = true
real_servers = ["10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"]
`, at, lab.WebVIP))
	d.WaitStatus("all servers to serve", func(s *status.Snapshot) error {
		if n, _ := s.Services[0].Count(); n != 3 {
			return fmt.Errorf("%d servers serve", n)
		}
		return nil
	})
	lab.WaitFor(t, ipvsd.Patience, "the log to say why there is no port", func() error {
		if log := d.Process.Log(); !strings.Contains(log, "metrics can't be served") || !strings.Contains(log, "cannot assign requested address") {
			return errors.New("it has no word of it")
		}
		return nil
	})
	c.Director.AddAddress("eth0", at+"/24")

	// scrape asks as Prometheus would, from another host.
	scrape := func() (map[string]string, error) {
		text, err := c.Client.Output("curl", "-sSf", "http://"+at+":9110/metrics")
		return series(text), err
	}
	c.Client.Run("ab", "-q", "-n", strconv.Itoa(requests), "-c", "10", fmt.Sprintf("http://%s/", lab.WebVIP))
	lab.WaitFor(t, ipvsd.Patience, "the counters of ab's requests", func() error {
		rows, err := c.Director.ReadTable("--stats", "--exact")
		if err != nil {
			return err
		}
		told, err := scrape()
		if err != nil {
			return err
		}
		if len(rows) != 4 || rows[0].Int(0) < requests { // ab opens one or two in vain
			return fmt.Errorf("ipvsadm has %v, want %d connections", rows, requests)
		}
		for _, row := range rows {
			kind, labels := "service", fmt.Sprintf("service=\"tcp %s\"", lab.WebVIP)
			if row.Server != "" {
				kind, labels = "server", labels+fmt.Sprintf(",server=%q", row.Server)
			}
			for i, name := range []string{"connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes"} {
				key := fmt.Sprintf("ipvsd_%s_%s_total{%s}", kind, name, labels)
				if got, err := strconv.ParseFloat(told[key], 64); err != nil || int64(got) != row.Int(i) || got <= 0 {
					return fmt.Errorf("%s is %q, ipvsadm's row %v", key, told[key], row)
				}
			}
		}
		return nil
	})

	c.Web[0].Stop()
	lab.WaitFor(t, ipvsd.Patience, "the dead server to be told of", func() error {
		told, err := scrape()
		for key, want := range map[string]string{
			`ipvsd_server_up{service="tcp 192.168.1.202:80",server="10.0.100.2:80"}`:       "0",
			`ipvsd_server_in_table{service="tcp 192.168.1.202:80",server="10.0.100.2:80"}`: "0",
			`ipvsd_server_up{service="tcp 192.168.1.202:80",server="10.0.100.3:80"}`:       "1",
			`ipvsd_service_servers{service="tcp 192.168.1.202:80"}`:                        "3",
			`ipvsd_service_servers_up{service="tcp 192.168.1.202:80"}`:                     "2",
			`ipvsd_service_servers_serving{service="tcp 192.168.1.202:80"}`:                "2",
		} {
			if err == nil && told[key] != want {
				err = fmt.Errorf("%s is %q, want %s", key, told[key], want)
			}
		}
		return err
	})
	here := series(c.Director.Run("curl", "-sSf", "--unix-socket", d.Path("socket"), "http://ipvsd/metrics"))
	if here["ipvsd_config_last_reload_successful"] != "1" || here[`ipvsd_check_probe_duration_seconds_bucket{type="TCP_CHECK",le="+Inf"}`] == "" ||
		here["process_start_time_seconds"] == "" || here[`ipvsd_api_requests_total{code="200",path="/v1/status"}`] == "" {
		t.Errorf("on the control socket: %v", here)
	}
	for path, want := range map[string]string{"/": "404", "/v1/status": "404", "/metrics": "200"} {
		if got := c.Client.Run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://"+at+":9110"+path); got != want {
			t.Errorf("the port answers %s with status %s, want %s", path, got, want)
		}
	}
	d.Load("[global_defs.metrics]\nper_server = false\n") // and no port
	lab.WaitFor(t, ipvsd.Patience, "the port to go", func() error {
		if _, err := scrape(); err == nil || !strings.Contains(err.Error(), "Failed to connect") && !strings.Contains(err.Error(), "Couldn't connect") {
			return fmt.Errorf("it is still there: %w", cmp.Or(err, errors.New("it answers")))
		}
		return nil
	})
	d.Stop()
}

// series are the lines of an exposition: values by names with labels.
func series(text string) map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(text) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			all[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return all
}
