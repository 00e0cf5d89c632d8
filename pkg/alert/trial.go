package alert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Trial is the kind of an event that says only that it is a test. It has the number 0, for it is none.
const Trial = "TEST"

// Trial returns what is sent to see whether it arrives: a mail to everybody who gets some, those of virtual servers too, by each mail
// server, and an event for each webhook. The FIFOs' readers hear nothing: they act on what they hear.
func (d *Desk) Trial(at time.Time, virtuals []*config.VirtualServer) (mails []Mail, posts []Post) {
	const why = "ipvsctl alert test asked for it"
	mail := func(server string, to []string) {
		m := Mail{Via: d.mail, To: to, Subject: oneLine(fmt.Sprintf("[%s] Test of alerts", d.director))}
		m.Via.Server = server
		m.Text = fmt.Sprintf("This is a test: %s.\n\nTime: %s\nHost: %s\n", why, at.Format(time.RFC3339), d.host)
		same := func(o Mail) bool { return o.Via.Server == server && slices.Equal(o.To, to) }
		if server != "" && len(to) > 0 && !slices.ContainsFunc(mails, same) {
			mails = append(mails, m)
		}
	}
	mail(d.mail.Server, d.mail.To)
	for _, vs := range virtuals {
		mail(vs.Mail.Server, vs.Mail.To)
	}
	for _, w := range d.hooks {
		text, err := json.Marshal(body{d.director, status.Event{At: at, Kind: Trial, Reason: why}})
		if err == nil { // an Event always has a JSON form
			posts = append(posts, Post{w, text})
		}
	}
	return mails, posts
}

// Recipients are who a mail is for, on one line.
func (m *Mail) Recipients() string { return strings.Join(m.To, ", ") }
