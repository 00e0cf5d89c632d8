package alert

import "time"

// Reminders are the servers that are down, whose mails are repeated. The zero value is ready.
type Reminders struct{ down map[string]reminder }

type reminder struct {
	news News
	next time.Time
}

func (n *News) key() string { return n.Name + " " + n.server() }

// Hear takes news into account.
func (r *Reminders) Hear(n *News) {
	if n.About != AServer && n.About != ASorry {
		return
	}
	if n.Kind != Down || !repeats(n) || n.Gone {
		delete(r.down, n.key())
		return
	}
	if r.down == nil {
		r.down = make(map[string]reminder)
	}
	r.down[n.key()] = reminder{*n, n.At.Add(n.Service.Mail.Repeat)}
}

// Due returns what is to be said again.
func (r *Reminders) Due(now time.Time) (list []News) {
	for key, d := range r.down {
		if now.Before(d.next) {
			continue
		}
		n := again(d.news)
		n.At = now
		list = append(list, n)
		d.next = now.Add(d.news.Service.Mail.Repeat)
		r.down[key] = d
	}
	return list
}

// Deadline is when something will be due; zero: never.
func (r *Reminders) Deadline() (at time.Time) {
	for _, d := range r.down {
		if at.IsZero() || d.next.Before(at) {
			at = d.next
		}
	}
	return at
}
