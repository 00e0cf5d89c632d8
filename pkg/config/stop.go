package config

// What becomes of a service when the daemon stops.
const (
	StopLeaves   = "leave"   // the kernel goes on balancing as it does
	StopQuiesces = "quiesce" // its servers get weight 0: connections go on, and nobody gets a new one
	StopRemoves  = "remove"  // it goes, and its connections with it, as keepalived has it
)

// onStop returns what becomes of services whose virtual server doesn't say. keepalived's lvs_flush_on_stop says it as well.
func (r *report) onStop(global *block) string {
	word, written := lookup[string]("on_stop", global)
	flush := global.value("lvs_flush_on_stop")
	switch {
	case flush == nil:
		return word
	case written != nil:
		r.fail(flush.key, `leave it out: on_stop = "remove" is the same as lvs_flush_on_stop = true`,
			"lvs_flush_on_stop and on_stop are about the same")
	case flush.data == true || flush.data == "VS":
		return StopRemoves
	}
	return word
}
