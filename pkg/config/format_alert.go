package config

import (
	"slices"
	"time"
)

// mail writes what global_defs says of e-mail.
func (p *printer) mail(m *Mail) {
	p.list("notification_email", m.To)
	differs(p, "notification_email_from", m.From, "")
	differs(p, "smtp_server", m.Server, "")
	differs(p, "smtp_connect_timeout", m.ConnectTimeout, fallback[time.Duration]("smtp_connect_timeout"))
	differs(p, "smtp_helo_name", m.Helo, "")
	if m.User == "" || m.TLS != MailTLSStart {
		differs(p, "smtp_tls", m.TLS, fallback[string]("smtp_tls"))
	}
	differs(p, "smtp_tls_ca", m.CA, "")
	differs(p, "smtp_user", m.User, "")
	differs(p, "smtp_password_file", m.PasswordFile, "")
	differs(p, "smtp_alert_format", m.Format, fallback[string]("smtp_alert_format"))
	differs(p, "no_email_faults", m.NoFaults, false)
	differs(p, "no_checker_emails", m.NoCheckers, false)
}

// serviceMail writes what a virtual server says of e-mail that global_defs doesn't.
func (p *printer) serviceMail(m *ServiceMail, global *Mail) {
	differs(p, "smtp_alert", m.Quorum, false)
	if !slices.Equal(m.To, global.To) {
		p.set("notification_email", m.To)
	}
	differs(p, "smtp_server", m.Server, global.Server)
	differs(p, "smtp_alert_repeat", m.Repeat, fallback[time.Duration]("smtp_alert_repeat"))
	if m.Silent != 0 {
		p.set("smtp_alert_phases", (allPhases &^ m.Silent).names())
	}
	differs(p, "servicename", m.Name, "")
	differs(p, "comment", m.Comment, "")
}

// webhooks writes their tables.
func (p *printer) webhooks(list []Webhook) {
	for _, w := range list {
		p.table("", "[webhook."+bare(w.Name)+"]")
		differs(p, "url", w.URL, "")
		differs(p, "url_file", w.URLFile, "")
		differs(p, "secret_file", w.SecretFile, "")
		differs(p, "timeout", w.Timeout, usualWebhook)
		differs(p, "attempts", int64(w.Attempts), usualAttempts)
		differs(p, "tls_ca", w.CA, "")
		switch {
		case w.VRRP && !w.LVS:
			p.set("events", eventsVRRP)
		case w.LVS && !w.VRRP:
			p.set("events", eventsLVS)
		}
	}
}

// fifos writes the pipes, with their readers.
func (p *printer) fifos(list []FIFO) {
	for _, f := range list {
		name := "notify_fifo"
		switch {
		case !f.LVS:
			name = "vrrp_notify_fifo"
		case !f.VRRP:
			name = "lvs_notify_fifo"
		}
		owned := []string{f.Path, f.User, f.Group}
		p.set(name, slices.DeleteFunc(owned, func(s string) bool { return s == "" }))
		p.script(name+"_script", f.Script)
	}
}

// unmailed says whether there are servers, and no mail about any of them.
func unmailed(virtuals []*VirtualServer) bool {
	some := false
	for _, vs := range virtuals {
		for rs := range vs.Servers() {
			if some = true; !rs.NoMail {
				return false
			}
		}
	}
	return some
}
