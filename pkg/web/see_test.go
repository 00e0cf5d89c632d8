//go:build chromium

package web

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Who has a token that may read logs in, sees how things are here and on the other director, and can change nothing.
func TestPageReads(t *testing.T) {
	t.Parallel()
	here, there := demo(t)
	p := browse(t, serve(t, here, there, false).url, 1280, 900)
	p.until(`!document.getElementById("login").hidden && document.activeElement.id === "token"`)
	p.do(chromedp.SendKeys("#token", "wrong-0123456789abcdef"+kb.Enter))
	p.until(`document.querySelector("#login .error").textContent.includes("no token")`)
	p.sets("token", "")
	p.do(chromedp.SendKeys("#token", readToken+kb.Enter))

	p.until(`document.querySelectorAll(".service").length === 7`)
	p.shows("#about", "token dashboard, who may read")
	p.shows("#service-0", "3 of 4", "10.0.100.4:80 down: connection refused")
	p.shows("#tiles", "of 24, 1 down")
	p.shows("#routers", "VI_E", "MASTER", "VRID 51", "192.0.2.80/24", "group of VI_E, VI_I")
	p.shows("#events", "10.0.100.4:80 of tcp 192.0.2.80:80: up -> down: connection refused")
	p.shows("#directors", "lb2", "VI_E BACKUP, VI_I BACKUP", "22 of 24 serving", "1 server in another state")
	p.shows("#service-4", "lb2: 1 of 2")
	p.do(chromedp.Click("#service-4 .open"))
	p.shows("#service-4-servers", "10.0.100.22:25", "lb2: down", "NAT")
	if n := js[int](p, `[...document.querySelectorAll("button")].filter(b => b.textContent.startsWith("Drain") && b.checkVisibility()).length`); n != 0 {
		t.Errorf("%d buttons to drain", n)
	}

	here.change(func(s *status.Snapshot) { fail(&s.Services[4].Servers[0], "no <b>banner</b>", s.At) })
	p.shows("#service-4-servers", "no <b>banner</b>")
	p.shows("#news", "10.0.100.21:25 of tcp 192.0.2.25:25 is down: no <b>banner</b>")

	there.mu.Lock()
	there.err = errGone
	there.mu.Unlock()
	p.shows("#directors", errGone.Error())

	p.do(chromedp.Click("#logout"))
	p.until(`!document.getElementById("login").hidden && document.getElementById("page").hidden`)
	p.do(chromedp.Reload())
	p.until(`!document.getElementById("login").hidden`)
}

// Who may operate drains a server after a dialog, sees how far it is, and ends it.
func TestPageDrains(t *testing.T) {
	t.Parallel()
	here, _ := demo(t)
	p := enter(t, serve(t, here, nil, false), operateToken, 900)
	p.until(`document.querySelectorAll(".service").length === 7`)
	const button = `[aria-label="Drain 10.0.100.2:80 of tcp 192.0.2.80:80"]`
	p.do(chromedp.Focus("#service-0 .open"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(button))

	// By keyboard alone: a dialog that is left changes nothing, and the focus is where it was.
	p.do(chromedp.Focus(button), chromedp.KeyEvent(kb.Enter))
	p.until(`document.getElementById("dialog").open`)
	p.shows("#dialog", "Drain 10.0.100.2:80?", "2 other servers serve there")
	p.do(chromedp.KeyEvent(kb.Escape))
	p.until(`!document.getElementById("dialog").open && document.activeElement.getAttribute("aria-label") === "Drain 10.0.100.2:80 of tcp 192.0.2.80:80"`)
	p.do(chromedp.Click(button), chromedp.Click("#dialog-cancel"))
	p.until(`!document.getElementById("dialog").open`)
	if orders := here.ordered(); len(orders) != 0 {
		t.Fatalf("orders %+v", orders)
	}

	// What the daemon refuses is told where it was asked.
	p.do(chromedp.Click(button), chromedp.SendKeys("[name=reason]", "refuse this"), chromedp.Click("#dialog-do"))
	p.shows("#dialog .error", "no server has the address 192.0.2.99")
	p.do(chromedp.SetValue("[name=reason]", "new kernel"), chromedp.SetValue("[name=deadline]", "600"), chromedp.Click("[name=where][value=one]"),
		chromedp.Click("#dialog-do"))
	p.until(`!document.getElementById("dialog").open`)
	p.shows("#service-0-servers", "drain by token night-shift: new kernel, disabled in")
	p.shows("#wishes", "10.0.100.2:80", "tcp 192.0.2.80:80", "night-shift", "new kernel")
	p.shows("#wishes", "drained")
	p.shows("#events", "new kernel (token night-shift)")
	orders := here.ordered()
	if len(orders) != 1 || orders[0].Verb != control.Drain || orders[0].Server != "10.0.100.2:80" || orders[0].Service != "tcp 192.0.2.80:80" ||
		orders[0].Deadline.String() != "10m0s" || orders[0].Owner != "token night-shift" || orders[0].Reason != "new kernel" {
		t.Fatalf("orders %+v", orders)
	}

	p.do(chromedp.Click("#wishes button"))
	p.shows("#dialog", "End the drain of 10.0.100.2:80?")
	p.do(chromedp.Click("#dialog-do"))
	p.until(`document.getElementById("wishes").hidden && document.querySelector('` + button + `').checkVisibility()`)

	// The last server that serves is not taken without a warning.
	p.do(chromedp.Click(button), chromedp.Click("[name=verb][value=disable]"), chromedp.Click("#dialog-do"))
	p.until(`!document.getElementById("dialog").open`)
	p.do(chromedp.Click(`[aria-label="Drain 10.0.100.3:80 of tcp 192.0.2.80:80"]`), chromedp.Click("#dialog-do"))
	p.until(`!document.getElementById("dialog").open`)
	p.shows("#service-0-servers", "disable by token night-shift", "drain by token night-shift")
	p.do(chromedp.Click(`[aria-label="Drain 10.0.100.5:80 of tcp 192.0.2.80:80"]`))
	p.shows("#dialog", "No other server serves there")
	p.do(chromedp.Click("#dialog-cancel"))
	if orders := here.ordered(); len(orders) != 4 || orders[1].Verb != control.Enable || orders[2].Verb != control.Disable || orders[2].Service != "" {
		t.Errorf("orders %+v", orders)
	}
}

// Nothing that a server or an operator says is more than text.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	const evil = `<img src=x onerror="document.title='run'"><script>document.title="run"</script>`
	here, _ := demo(t)
	here.change(func(s *status.Snapshot) {
		s.RouterID, s.Config.Rejected = evil, evil
		r := &s.Services[0].Servers[0]
		r.Name, r.Tags, s.VRRP.Instances[0].Reason = evil, []string{evil}, evil
		fail(r, evil, s.At)
	})
	p := enter(t, serve(t, here, nil, false), operateToken, 900)
	p.until(`document.querySelectorAll(".service").length === 7`)
	p.do(chromedp.Click("#service-0 .open"))
	p.shows("#service-0-servers", evil)
	p.shows("#problems", evil)
	p.shows("#director", evil)
	p.do(chromedp.Click(`[aria-label="Drain 10.0.100.2:80 of tcp 192.0.2.80:80"]`))
	p.shows("#dialog", evil)
	if n := js[int](p, `document.querySelectorAll("img, body script").length`); n != 0 {
		t.Errorf("%d elements of theirs", n)
	}
	if title := js[string](p, "document.title"); title == "run" {
		t.Error("it ran")
	}
}

// While a page is paused it stays as it is.
func TestPagePauses(t *testing.T) {
	t.Parallel()
	here, _ := demo(t)
	p := enter(t, serve(t, here, nil, false), operateToken, 900)
	p.until(`document.querySelectorAll(".service").length === 7`)
	p.do(chromedp.Click("#pause"))
	p.until(`document.getElementById("pulse").textContent === "paused" && document.getElementById("pause").getAttribute("aria-pressed") === "true"`)
	here.change(func(s *status.Snapshot) { s.Config.Rejected = "line 4: no" })
	p.do(chromedp.Click("#pause"))
	p.shows("#problems", "line 4: no")
}
