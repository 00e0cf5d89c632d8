package alert

import (
	"encoding/json"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Desk decides by a configuration. The zero value tells nobody.
type Desk struct {
	director string // router_id, else the host's name
	host     string
	mail     config.Mail
	hooks    []config.Webhook
}

// NewDesk returns the desk of a configuration on a host.
func NewDesk(c *config.GlobalDefs, host string) *Desk {
	d := &Desk{director: c.RouterID, host: host, mail: c.Mail, hooks: c.Webhooks}
	if d.director == "" {
		d.director = host
	}
	if d.mail.From == "" {
		d.mail.From = "ipvsd@" + host
	}
	if d.mail.Helo == "" {
		d.mail.Helo = host
	}
	return d
}

// Mail is an e-mail, and how it goes out.
type Mail struct {
	Via     config.Mail
	To      []string
	Subject string
	Mailer  string // X-Mailer; empty: none
	Text    string
}

// Mail returns the e-mail that news are worth, and false if there is none.
func (d *Desk) Mail(n *News) (Mail, bool) {
	if !n.ofRouter() && n.Service == nil {
		return Mail{}, false
	}
	m := Mail{Via: d.mail, To: d.mail.To}
	if !n.ofRouter() {
		m.To, m.Via.Server = n.Service.Mail.To, n.Service.Mail.Server
	}
	if d.director == "" || !n.Mail || m.Via.Server == "" || len(m.To) == 0 {
		return Mail{}, false
	}
	ldirectord := d.mail.Format == config.FormatLdirectord
	checks := !ldirectord && !d.mail.NoCheckers
	switch n.About { //nolint:exhaustive // the others are always told
	case AnInstance, AGroup:
		if n.Kind == fault && d.mail.NoFaults {
			return Mail{}, false
		}
	case AService:
		if ldirectord || !n.Service.Mail.Quorum {
			return Mail{}, false
		}
	case AFallback:
		if !ldirectord {
			return Mail{}, false
		}
	case ACheck:
		if !checks {
			return Mail{}, false
		}
	case ASorry:
		if ldirectord || checks && n.Checked { // it knows them as fallback servers, and checks none
			return Mail{}, false
		}
	case AServer:
		if checks && n.Checked || n.Kind == Stopped && !ldirectord {
			return Mail{}, false
		}
	}
	if n.Server != nil && n.Server.NoMail || n.Service != nil && n.Phase&n.Service.Mail.Silent != 0 {
		return Mail{}, false
	}
	if ldirectord && !n.ofRouter() && n.About != AWish {
		m.Subject, m.Text = d.ldirectord(n)
	} else {
		m.Subject, m.Text, m.Mailer = d.keepalived(n)
	}
	return m, true
}

// Post is a body for a webhook.
type Post struct {
	To   config.Webhook
	Body []byte
}

// body is the JSON of a webhook.
type body struct {
	Director string `json:"director"`
	status.Event
}

// Posts returns what the webhooks are told. The number says how many events there were before, so that who hears of them sees
// whether one is missing.
func (d *Desk) Posts(n *News, seq uint64) (list []Post) {
	if !n.Event {
		return nil
	}
	for _, w := range d.hooks {
		if n.ofRouter() && !w.VRRP || !n.ofRouter() && !w.LVS {
			continue
		}
		e := n.event()
		e.Seq = seq
		text, err := json.Marshal(body{d.director, e})
		if err != nil { // an Event always has a JSON form
			return nil
		}
		list = append(list, Post{w, text})
	}
	return list
}

// repeats says whether there is another mail later about a server that is down.
func repeats(n *News) bool {
	return n.Service != nil && n.Service.Mail.Repeat > 0 && !n.Server.NoMail
}

// again returns what is to be said of a server that is down still.
func again(n News) News {
	n.Kind, n.Line, n.Event, n.Mail, n.Checked, n.Phase = Inaccessible, false, false, true, false, config.Running
	return n
}

// oneLine keeps what others wrote from becoming a header.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
