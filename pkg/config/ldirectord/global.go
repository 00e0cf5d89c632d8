package ldirectord

import (
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// globalDefs writes what is for all services.
func (t *translation) globalDefs(top []*line, services []*service) {
	at := &line{}
	if len(top) > 0 {
		at = top[0]
	}
	t.Table(at.at, "global_defs", false, 0, at.before...)
	at.before = nil
	for _, name := range []string{"timeout", "connecttimeout"} {
		if v := t.global[name]; v != nil {
			t.Warn(v.line.at, "write checktimeout and negotiatetimeout", "ldirectord refuses the old name %s", name)
			for _, name := range []string{"checktimeout", "negotiatetimeout"} {
				if t.global[name] == nil {
					t.global[name] = v
				}
			}
		}
	}
	v := t.global["cleanstop"]
	t.put(v, at, "on_stop", atStop(v))
	if v = t.global["autoreload"]; yes(v, false) {
		t.set(v, "autoreload", true)
	}
	t.alerts(t.global)
	if v = t.global["emailalertfrom"]; v != nil {
		t.set(v, "notification_email_from", v.data)
	}
	if t.mails(services) {
		if t.global["smtp"] == nil { // ldirectord hands mail to the local mailer, whose port this is
			t.Set(at.at, "smtp_server", "localhost")
		}
		t.Set(at.at, "smtp_alert_format", "ldirectord")
	}
	t.remaining(top...)
}

// atStop is what becomes of services when ipvsd stops, by a cleanstop or its default.
func atStop(v *value) string {
	if yes(v, true) {
		return config.StopRemoves
	}
	return config.StopLeaves
}

// mails says whether somebody gets mail.
func (t *translation) mails(services []*service) bool {
	if t.global["emailalert"] != nil {
		return true
	}
	for _, s := range services {
		if s.values["emailalert"] != nil {
			return true
		}
	}
	return false
}

// alerts writes who gets mail, and when: of all services, or of one.
func (t *translation) alerts(from values) {
	if v := from["emailalert"]; v != nil {
		var list []string
		for address := range strings.SplitSeq(unquoted(word(v)), ",") {
			if address = strings.TrimSpace(address); address != "" {
				list = append(list, address)
			}
		}
		t.set(v, "notification_email", list)
		t.set(v, "smtp_alert", true)
	}
	if v := from["smtp"]; v != nil {
		t.set(v, "smtp_server", v.data)
	}
	if v := from["emailalertfreq"]; v != nil {
		t.set(v, "smtp_alert_repeat", v.data)
	}
	if v := from["emailalertstatus"]; v != nil {
		words := strings.FieldsFunc(unquoted(word(v)), func(c rune) bool { return c == ',' || c == ' ' })
		t.set(v, "smtp_alert_phases", words)
	}
}
