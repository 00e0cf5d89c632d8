package config

import (
	"strings"
	"time"
)

// Mail is how alerts go out by e-mail. There are none without a Server.
type Mail struct {
	Server         string        // HOST:PORT
	ConnectTimeout time.Duration // from connecting until the mail is taken
	Helo           string        // our name towards the server; empty: the host's
	TLS            string        // one of the MailTLS words
	CA             string        // file of certificates that are trusted; empty: the system's
	User           string        // who logs in; empty: nobody does
	PasswordFile   string        // with User's password in its first line

	From       string   // empty: "ipvsd" at the host
	To         []string // who gets what virtual routers do, and virtual servers that say nothing else
	Format     string   // whose subjects and texts it has: keepalived's or ldirectord's
	NoFaults   bool     // none for FAULT
	NoCheckers bool     // for each change of a server, not of each of its checks
}

// How mail is kept secret on its way: not at all, if the server can, or else not sent.
const (
	MailTLSNone          = "none"
	MailTLSOpportunistic = "opportunistic"
	MailTLSStart         = "starttls"
	MailTLSImplicit      = "implicit"
)

// Formats of mail.
const (
	FormatKeepalived = "keepalived"
	FormatLdirectord = "ldirectord"
)

// ServiceMail is who gets e-mail about a virtual server.
type ServiceMail struct {
	Quorum  bool     // also about its quorum; servers have a switch of their own
	To      []string // nobody: no mail
	Server  string   // as in Mail
	Repeat  time.Duration
	Silent  Phase  // when there is no mail
	Name    string // servicename, and comment: what it is for its users
	Comment string
}

// Phase is what the daemon is doing; of several the sum.
type Phase uint8

// The phases of ldirectord.
const (
	Starting  Phase = 1 << iota // until a server is known for the first time
	Running                     // what checks find later
	Stopping                    // the daemon ends
	Reloading                   // the same as Starting after a change of the file
	allPhases = Starting | Running | Stopping | Reloading
)

var phaseNames = []string{"starting", "running", "stopping", "reloading"}

// names are the words for phases in the file.
func (p Phase) names() []string {
	if p == 0 {
		return []string{"none"}
	}
	if p == allPhases {
		return []string{"all"}
	}
	var list []string
	for i, name := range phaseNames {
		if p&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}

func (p Phase) String() string { return strings.Join(p.names(), ",") }

// Webhook is a server that is told of events by HTTP.
type Webhook struct {
	Name       string
	URL        string        // empty: in URLFile
	URLFile    string        // its first line is the URL, for one that lets in whoever knows it
	SecretFile string        // its first line signs what is sent; empty: nothing does
	Timeout    time.Duration // of one attempt
	Attempts   int           // until an event is given up
	CA         string        // file of certificates that are trusted; empty: the system's
	VRRP, LVS  bool          // events of virtual routers, of virtual servers
}

// Words of a webhook's events.
const (
	eventsVRRP = "vrrp"
	eventsLVS  = "lvs"
)

// usualMail is what holds when nothing is written.
func usualMail() Mail {
	return Mail{ConnectTimeout: fallback[time.Duration]("smtp_connect_timeout"), TLS: fallback[string]("smtp_tls"), Format: fallback[string]("smtp_alert_format")}
}

// mail resolves what global_defs says of e-mail.
func (r *report) mail(b *block) (m Mail) {
	m.Server, _ = lookup[string]("smtp_server", b)
	m.ConnectTimeout, _ = lookup[time.Duration]("smtp_connect_timeout", b)
	m.ConnectTimeout = max(m.ConnectTimeout, time.Second) // as keepalived has it
	m.Helo, _ = lookup[string]("smtp_helo_name", b)
	secrecy, how := lookup[string]("smtp_tls", b)
	m.TLS = secrecy
	m.CA, _ = lookup[string]("smtp_tls_ca", b)
	m.From, _ = lookup[string]("notification_email_from", b)
	m.To = mailboxes(b)
	m.Format, _ = lookup[string]("smtp_alert_format", b)
	m.NoFaults, _ = lookup[bool]("no_email_faults", b)
	m.NoCheckers, _ = lookup[bool]("no_checker_emails", b)
	user, named := lookup[string]("smtp_user", b)
	file, secret := lookup[string]("smtp_password_file", b)
	m.User, m.PasswordFile = user, file
	switch {
	case (named == nil) != (secret == nil):
		for _, v := range []*value{named, secret} {
			if v != nil {
				r.fail(v.key, "write both smtp_user and smtp_password_file", "%s is of no use alone", v.keyword.name)
			}
		}
	case named == nil:
	case how == nil:
		m.TLS = MailTLSStart
	case secrecy == MailTLSNone || secrecy == MailTLSOpportunistic:
		r.fail(how.at, `write smtp_tls = "starttls" or "implicit"`, "the password of smtp_user would be there for anybody to read")
	}
	if v := b.value("notification_email"); v != nil && m.Server == "" && b.lacks("smtp_server") {
		r.warn(v.key, `write smtp_server = "localhost"`, "no mail is sent: there is no smtp_server")
	}
	return m
}

// mailboxes returns the first notification_email of some blocks.
func mailboxes(from ...*block) (list []string) {
	for _, b := range from {
		if b.value("notification_email") == nil {
			continue
		}
		for to := range items[string](b, "notification_email") {
			list = append(list, to)
		}
		break
	}
	return list
}

// serviceMail resolves what a virtual server says of e-mail.
func (r *resolver) serviceMail(b *block) (m ServiceMail) {
	m.Quorum = alerts(false, b, r.global, "smtp_alert_checker")
	m.To = mailboxes(b, r.global)
	m.Server, _ = lookup[string]("smtp_server", b, r.global)
	m.Repeat, _ = lookup[time.Duration]("smtp_alert_repeat", b, r.global)
	loud, _ := lookup[Phase]("smtp_alert_phases", b, r.global)
	m.Silent = allPhases &^ loud
	m.Name, _ = lookup[string]("servicename", b)
	m.Comment, _ = lookup[string]("comment", b)
	return m
}

// alerts says whether there is mail about what a block describes: it says so, or the default for its kind does, or that for all.
func alerts(anyway bool, b, global *block, kind string) bool {
	for _, v := range []*value{b.value("smtp_alert"), global.value(kind), global.value("smtp_alert")} {
		if v != nil {
			return v.data == true
		}
	}
	return anyway
}

// webhooks resolves those of the file.
func (r *report) webhooks(blocks []*block) (list []Webhook) {
	for _, b := range blocks {
		w := Webhook{Name: b.called()}
		url, shown := lookup[string]("url", b)
		file, kept := lookup[string]("url_file", b)
		w.URL, w.URLFile = url, file
		switch {
		case shown != nil && kept != nil:
			r.fail(kept.key, "leave one of them out", "url_file contradicts url")
		case b.lacks("url", "url_file"):
			r.fail(b.at(), `write url = "https://alerts.example.org/ipvsd"`, "the webhook has no url")
		}
		w.SecretFile, _ = lookup[string]("secret_file", b)
		w.Timeout = b.or("timeout", usualWebhook).(time.Duration)
		w.Attempts = int(b.or("attempts", int64(usualAttempts)).(int64))
		w.CA, _ = lookup[string]("tls_ca", b)
		if v := b.value("tls_ca"); v != nil && strings.HasPrefix(w.URL, "http://") {
			r.warn(v.key, "leave it out, or write https", "tls_ca has no effect: the url is http")
		}
		w.VRRP, w.LVS = b.value("events") == nil, b.value("events") == nil
		for word := range items[string](b, "events") {
			w.VRRP, w.LVS = w.VRRP || word == eventsVRRP, w.LVS || word == eventsLVS
		}
		list = append(list, w)
	}
	return list
}

const (
	usualWebhook  = 5 * time.Second
	usualAttempts = 5
)

// or returns what a keyword is set to in the block, or a default that holds nowhere else.
func (b *block) or(name string, anyway any) any {
	if v := b.value(name); v != nil && v.data != nil {
		return v.data
	}
	return anyway
}

// fifos resolves the pipes, with their readers.
func (f *frame) fifos(r *report) (list []FIFO) {
	global := f.global
	for _, name := range []string{"notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"} {
		pipe, v := lookup[FIFO](name, global)
		script := global.value(name + "_script")
		if v == nil {
			if script != nil {
				r.fail(script.key, "add "+name, "%s_script works only with %s", name, name)
			}
			continue
		}
		pipe.Script = f.command(name+"_script", global)
		pipe.VRRP, pipe.LVS = name != "lvs_notify_fifo", name != "vrrp_notify_fifo"
		for _, other := range list {
			if other.Path != pipe.Path || pipe.Path == "" {
				continue
			}
			if other.VRRP && other.LVS {
				r.fail(v.at, "leave one of them out, or each line would be there twice", "notify_fifo and %s are the same pipe", name)
			} else {
				r.fail(v.at, "write notify_fifo instead of both", "vrrp_notify_fifo and lvs_notify_fifo are the same pipe")
			}
		}
		list = append(list, pipe)
	}
	return list
}
