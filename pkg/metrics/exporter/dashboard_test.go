package exporter

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// apart is why a metric is not on the dashboard.
var apart = map[string]string{
	"ipvsd_checks": "a number of the configuration, which seldom changes",
	"ipvsd_config_rejected_timestamp_seconds":           "whether the newest configuration is in force is there",
	"ipvsd_reconcile_rounds_total":                      "rounds without a change are routine; their durations are there",
	"ipvsd_server_in_table":                             "the weight in the kernel is there, and only for servers in the table",
	"ipvsd_server_inactive_connections":                 "there by service",
	"ipvsd_server_incoming_packets_total":               "there by service",
	"ipvsd_server_outgoing_packets_total":               "there by service",
	"ipvsd_server_outgoing_bytes_total":                 "there by service",
	"ipvsd_server_info":                                 "has labels to join with, and no value",
	"ipvsd_vrrp_instance_info":                          "has labels to join with, and no value",
	"ipvsd_server_off":                                  "a word of the configuration; the servers that operators take out are there",
	"ipvsd_table_changed_timestamp_seconds":             "changes are there as a rate",
	"ipvsd_table_read_timestamp_seconds":                "whether the table can be read is there",
	"ipvsd_vrrp_instance_peers":                         "a number that seldom changes; the roles are there",
	"ipvsd_vrrp_instance_priority":                      "a number of the configuration; the effective one is there",
	"ipvsd_vrrp_instance_state_since_timestamp_seconds": "the time line of states has it",
	"ipvsd_vrrp_priority_zero_received_total":           "part of each planned takeover; changes of role are there",
	"ipvsd_vrrp_priority_zero_sent_total":               "part of each planned takeover; changes of role are there",
	"ipvsd_vrrp_thread_realtime_priority":               "granted at the start or not; how late adverts are is there",
}

// Each metric is on the dashboard, or it is said why not.
func TestDashboardHasMetrics(t *testing.T) {
	shown := regexp.MustCompile(`\bipvsd_[a-z_]+`).FindAllString(read(t, "grafana/ipvsd.json"), -1)
	for _, name := range Names() {
		family, part := name, name
		for _, suffix := range []string{"_sum", "_count"} { // of a histogram, whose buckets are shown
			if of, cut := strings.CutSuffix(name, suffix); cut && slices.Contains(Names(), of+"_bucket") {
				family, part = of, of+"_bucket"
			}
		}
		if on := slices.Contains(shown, part); on == (apart[family] != "") {
			t.Errorf("%s: on the dashboard: %t; why not: %q", name, on, apart[family])
		}
	}
	for name := range apart {
		if !slices.Contains(Names(), name) {
			t.Errorf("there is no %s", name)
		}
	}
}
