package alert

import (
	"fmt"
	"strings"
	"time"
)

// States of virtual routers that there are mails about.
const (
	master = "MASTER"
	backup = "BACKUP"
	fault  = "FAULT"
)

// keepalived returns subject, text and X-Mailer as keepalived has them. The text goes on where its ends.
func (d *Desk) keepalived(n *News) (subject, text, mailer string) {
	what, line := "", ""
	switch n.About {
	case AnInstance:
		what = fmt.Sprintf("VRRP Instance %s - Entering %s state", n.Name, n.Kind)
		line = "VRRP Instance is no longer owning VRRP VIPs"
		if n.Kind == master {
			line = "VRRP Instance is now owning VRRP VIPs"
		}
	case AGroup:
		what = fmt.Sprintf("VRRP Group %s - Entering %s state", n.Name, n.Kind)
		line = fmt.Sprintf("All VRRP group instances are now in %s state", n.Kind)
	case AService:
		what = fmt.Sprintf("Virtualserver %s - %s", n.Name, n.Kind)
		line = n.Quorum.line(n.Kind)
	case AWish:
		what = fmt.Sprintf("Server %s - %s", n.Wish.Server, n.Kind)
		if n.Wish.Service != "" {
			what = fmt.Sprintf("Server %s of %s - %s", n.Wish.Server, n.Wish.Service, n.Kind)
		}
		line = n.Wish.line("")
	default:
		kind := "Realserver"
		if n.About == ASorry {
			kind = "Sorryserver"
		}
		what = fmt.Sprintf("%s %s of virtual server %s - %s", kind, n.server(), n.Name, n.state())
		line = n.verdict()
	}
	return fmt.Sprintf("[%s] %s", oneLine(d.director), what), "=> " + line + " <=\n\n" + d.details(n), "Keepalived"
}

// line says what was wanted, by whom and why.
func (w *Wish) line(reason string) string {
	text := w.Text
	if w.By != "" {
		text += " by " + w.By
	}
	if reason != "" {
		text += ": " + reason
	}
	return oneLine(text)
}

// state is what a subject says of a server.
func (n *News) state() string {
	if n.Kind == Inaccessible {
		return Down
	}
	return n.Kind
}

func (q Quorum) line(kind string) string {
	switch {
	case kind == Down:
		return fmt.Sprintf("Lost quorum %d-%d=%d > %d", q.Needed, q.Hysteresis, q.Needed-q.Hysteresis, q.Live)
	case q.First:
		return fmt.Sprintf("Starting with quorum up %d+%d=%d <= %d", q.Needed, q.Hysteresis, q.Needed+q.Hysteresis, q.Live)
	}
	return fmt.Sprintf("Gained quorum %d+%d=%d <= %d", q.Needed, q.Hysteresis, q.Needed+q.Hysteresis, q.Live)
}

// verdicts are keepalived's words for success and failure of its checks.
var verdicts = map[string][2]string{
	"TCP_CHECK":  {"TCP CHECK succeed on service", "TCP CHECK failed on service"},
	"HTTP_GET":   {"CHECK succeed on service", "CHECK failed on service : HTTP request failed"},
	"SSL_GET":    {"CHECK succeed on service", "CHECK failed on service : HTTP request failed"},
	"SMTP_CHECK": {"CHECK succeed on service", "CHECK failed on service"},
	"DNS_CHECK":  {"DNS_CHECK: succeed on service", "DNS_CHECK: failed on service"},
	"MISC_CHECK": {"MISC CHECK succeeded on service", "MISC CHECK failed on service"},
	"UDP_CHECK":  {"UDP CHECK succeed on service", "UDP CHECK failed on service"},
	"PING_CHECK": {"ICMP CHECK succeed on service", "ICMP CHECK failed on service"},
	"BFD_CHECK":  {"BFD CHECK succeeded on service", "BFD CHECK failed on service"},
}

// verdict says of a server what a check said.
func (n *News) verdict() string {
	bad := n.state() == Down
	if n.About == ACheck {
		bad = !n.Passed
	}
	switch words, known := verdicts[n.Check]; {
	case n.Kind == Inaccessible:
		return "Still down"
	case known && bad:
		return words[1]
	case known:
		return words[0]
	case n.Check == "" && bad:
		return "Removing"
	case n.Check == "":
		return "Adding"
	case bad:
		return n.Check + " failed on service"
	}
	return n.Check + " succeeded on service"
}

// details are what keepalived's mails don't say.
func (d *Desk) details(n *News) string {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, text)
		}
	}
	line("Reason", oneLine(n.Reason))
	if n.Check != "" {
		line("Check", n.Check)
	}
	if n.ofRouter() {
		line("Before", n.From)
		if n.Priority > 0 {
			line("Priority", fmt.Sprint(n.Priority))
		}
	}
	line("Time", n.At.Format(time.RFC3339))
	line("Host", d.host)
	return b.String()
}
