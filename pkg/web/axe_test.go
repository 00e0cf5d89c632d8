//go:build chromium

package web

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// scan has axe look at what is shown now.
func (p tab) scan(what string) {
	p.t.Helper()
	axe, err := os.ReadFile("../../build/axe.min.js")
	if err != nil {
		p.t.Fatalf("scripts/install-axe gets it: %v", err)
	}
	if !js[bool](p, "typeof axe === 'object'") {
		p.do(chromedp.Evaluate[chromedp.Void](string(axe)))
	}
	found := js[[]string](p, `axe.run(document, { resultTypes: ["violations"] }).then(r => r.violations.flatMap(v =>
		v.nodes.map(n => v.id + " (" + v.help + "): " + n.target.join(" ") + ": " + n.failureSummary)))`)
	for _, f := range found {
		p.t.Errorf("%s: %s", what, f)
	}
}

// Light and dark, wide and narrow, axe has nothing to say about any part of the page; and on a phone nothing is wider than it.
func TestPageAccessible(t *testing.T) {
	t.Parallel()
	here, there := demo(t)
	here.change(func(s *status.Snapshot) {
		s.Config.Rejected = "ipvsd.toml:4:12: protocol must be TCP\n  4 | protocol = TPC"
	})
	p := browse(t, serve(t, here, there, false).url, 1280, 1000)
	p.until(`!document.getElementById("login").hidden`)
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		p.scan(scheme + " login")
	}
	p.do(chromedp.SendKeys("#token", operateToken+kb.Enter))
	p.until(`document.querySelectorAll(".service").length === 7 && document.querySelector("#directors").textContent.includes("in another state")`)
	p.do(chromedp.Click("#service-0 .open"), chromedp.Click(`[aria-label="Drain 10.0.100.2:80 of tcp 192.0.2.80:80"]`), chromedp.Click("#dialog-do"))
	p.shows("#wishes", "10.0.100.2:80")
	for _, width := range []int64{1280, 390, 320} {
		p.do(chromedp.EmulateViewport(width, 1000))
		if over := js[int](p, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
			t.Errorf("%d pixels: %d too wide", width, over)
		}
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			p.scan(fmt.Sprintf("%s, %d pixels", scheme, width))
			p.do(chromedp.Click(`[aria-label="Drain 10.0.100.3:80 of tcp 192.0.2.80:80"]`))
			p.until(`document.getElementById("dialog").open`)
			p.scan(fmt.Sprintf("%s dialog, %d pixels", scheme, width))
			p.do(chromedp.Click("#dialog-cancel"))
		}
	}
}

var screenshots = flag.String("screenshots", os.TempDir(), "directory to write pictures of the page to")

// TestPictures makes the pictures of the README: make screenshots.
func TestPictures(t *testing.T) {
	here, there := demo(t)
	s := serve(t, here, there, false)
	s.page.teller.pause = 0
	p := enter(t, s, operateToken, 1130)
	p.until(`document.querySelectorAll(".service").length === 7`)
	p.do(chromedp.Click("#service-0 .open"), chromedp.Click(`[aria-label="Drain 10.0.100.5:80 of tcp 192.0.2.80:80"]`),
		chromedp.SendKeys("[name=reason]", "new kernel"), chromedp.SetValue("[name=deadline]", "600"), chromedp.Click("#dialog-do"))
	p.shows("#wishes", "new kernel")
	// Two minutes of charts in a few seconds.
	js[bool](p, `new Promise(done => { let n = 0; const f = () => n++ < 120 ? (document.dispatchEvent(new Event("visibilitychange")), setTimeout(f, 30)) : done(true); f() })`)
	picture := func(name string, width, height int64, scheme string) {
		t.Helper()
		p.scheme(scheme)
		p.do(chromedp.EmulateViewport(width, height))
		png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	js[bool](p, `scrollTo(0, 0), true`)
	picture("page", 1280, 1450, "light")
	picture("page-dark", 1280, 1450, "dark")
	js[bool](p, `document.querySelector("#services").scrollIntoView(), true`)
	p.do(chromedp.Click(`[aria-label="Drain 10.0.100.3:80 of tcp 192.0.2.80:80"]`))
	picture("drain", 1280, 760, "light")
	p.do(chromedp.Click("#dialog-cancel"))
	p.do(chromedp.EmulateViewport(390, 1100))
	js[bool](p, `document.querySelector("#services").scrollIntoView(), true`)
	picture("phone", 390, 1100, "dark")
}
