package metrics

import (
	"slices"

	dto "github.com/prometheus/client_model/go"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// syncRoles are the kernel's sync daemons.
var syncRoles = []struct {
	ipvs.SyncRole
	*dto.LabelPair
}{
	{ipvs.SyncMaster, label("role", ipvs.SyncMaster.String())}, {ipvs.SyncBackup, label("role", ipvs.SyncBackup.String())},
}

// alerts has a sample for each destination.
func alerts(value func(*Alerts) float64) func(*view, *sink) {
	return func(v *view, s *sink) {
		for i := range v.Alerts {
			s.add(labels{label("to", v.Alerts[i].To)}, value(&v.Alerts[i]))
		}
	}
}

var daemonFamilies = []family{
	gauge("ipvsd_director_info", "The name of this director (router_id).", func(v *view, s *sink) {
		s.add(labels{label("router_id", v.RouterID)}, 1)
	}),
	gauge("ipvsd_config_last_reload_successful", "Whether the newest configuration is the one in force; 0: it was rejected.",
		one(func(v *view) float64 { return truth(v.Config.Rejected == "") })),
	gauge("ipvsd_config_loaded_timestamp_seconds", "When the configuration in force was loaded.", func(v *view, s *sink) { s.moment(nil, v.Config.Loaded) }),
	gauge("ipvsd_config_rejected_timestamp_seconds", "When a newer configuration was rejected; left out if none was.",
		func(v *view, s *sink) { s.moment(nil, v.Config.RejectedAt) }),
	gauge("ipvsd_config_warnings", "Warnings about the configuration in force.", one(func(v *view) float64 { return float64(v.Config.Warnings) })),

	gauge("ipvsd_table_available", "Whether the kernel's table could be read and changed the last time.",
		one(func(v *view) float64 { return truth(v.Table.Error == "") })),
	gauge("ipvsd_table_read_timestamp_seconds", "When the reconciler last read the kernel's table.", func(v *view, s *sink) { s.moment(nil, v.Table.Read) }),
	gauge("ipvsd_table_changed_timestamp_seconds", "When the kernel's table was last changed by ipvsd.", func(v *view, s *sink) { s.moment(nil, v.Table.Changed) }),
	gauge("ipvsd_table_foreign", "Services, and servers of services of ours, that others put into the kernel's table.",
		one(func(v *view) float64 { return float64(len(v.Table.Foreign)) })),
	gauge("ipvsd_table_record_written", "Whether the record of what is ours could be written to the disk.",
		one(func(v *view) float64 { return truth(v.Table.Record == "") })),
	gauge("ipvsd_wishes", "What the operator wants of servers: drains, servers that are disabled, other weights.",
		one(func(v *view) float64 { return float64(len(v.Wishes)) })),
	gauge("ipvsd_wishes_record_written", "Whether that could be written to the disk; otherwise a restart forgets it.",
		one(func(v *view) float64 { return truth(v.WishesRecord == "") })),
	gauge("ipvsd_members_record_written", "Whether the last answers of the sources of members could be written to the disk; otherwise a restart waits for them.",
		one(func(v *view) float64 { return truth(v.SourcesRecord == "") })),
	gauge("ipvsd_records_owed_seconds", "How long the disk has lacked the newest of what it is to hold; 0: it has it all.",
		one(func(v *view) float64 { return v.Owed.Seconds() })),
	counter("ipvsd_reconcile_rounds_total", "Times that the kernel's table, or a part of it, was compared with what it should be.",
		one(func(v *view) float64 { return float64(v.Rounds.Count) })),
	counter("ipvsd_reconcile_steps_total", "Changes made to the kernel's table and settings.", one(func(v *view) float64 { return float64(v.Rounds.Steps) })),
	counter("ipvsd_reconcile_drift_repaired_total", "Changes that undid what others did to what is ours.", one(func(v *view) float64 { return float64(v.Rounds.Drift) })),
	counter("ipvsd_reconcile_refusals_total", "Changes that the kernel refused, each attempt.", one(func(v *view) float64 { return float64(v.Rounds.Refused) })),
	gauge("ipvsd_reconcile_refused", "Changes that the kernel refuses now, and that are tried again.",
		one(func(v *view) float64 { return float64(len(v.Table.Refused)) })),
	histogram("ipvsd_reconcile_round_duration_seconds", "How long rounds took.", func(v *view, s *sink) { s.durations(nil, &v.Rounds.Took) }),

	gauge("ipvsd_sync_daemon_wanted", "Whether the kernel's sync daemon of this role is to run now.", func(v *view, s *sink) {
		for _, r := range syncRoles {
			s.add(labels{r.LabelPair}, truth(slices.Contains(v.Wanted, r.SyncRole)))
		}
	}),
	gauge("ipvsd_sync_daemon_running", "Whether the kernel's sync daemon of this role runs.", func(v *view, s *sink) {
		if v.Settings == nil {
			return // they were not read yet
		}
		for i, d := range []*status.SyncDaemon{v.Settings.Master, v.Settings.Backup} {
			s.add(labels{syncRoles[i].LabelPair}, truth(d != nil))
		}
	}),

	gauge("ipvsd_alerts_queued", "Alerts that wait to be delivered.", alerts(func(a *Alerts) float64 { return float64(a.Queued) })),
	counter("ipvsd_alerts_delivered_total", "Alerts that were delivered.", alerts(func(a *Alerts) float64 { return float64(a.Delivered) })),
	counter("ipvsd_alerts_retried_total", "Attempts to deliver an alert that failed, and after which it was tried again.",
		alerts(func(a *Alerts) float64 { return float64(a.Retried) })),
	counter("ipvsd_alerts_failed_total", "Alerts that were given up.", alerts(func(a *Alerts) float64 { return float64(a.Failed) })),
	counter("ipvsd_alerts_dropped_total", "Alerts that were dropped because too many waited.", alerts(func(a *Alerts) float64 { return float64(a.Dropped) })),
	counter("ipvsd_alerts_news_lost_total", "Pieces of news that were lost because there were too many of them to tell.",
		one(func(v *view) float64 { return float64(v.Lost) })),
}
