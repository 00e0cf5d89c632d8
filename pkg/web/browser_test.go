//go:build chromium

package web

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a page in a browser. What goes wrong ends the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browse starts Debian's Chromium with an empty profile, and opens a page of so many pixels in it. It ends with the test. The profile is
// chromedp's: of one in t.TempDir, children of Chromium that live a moment longer would have the test fail, since it isn't empty.
func browse(t *testing.T, url string, width, height int64) tab {
	t.Helper()
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true))
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	p := tab{t, ctx}
	p.listen()
	p.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	return p
}

// listen has what the browser complains about, an exception or something that the policy forbids, fail the test.
func (p tab) listen() {
	p.t.Helper()
	err := chromedp.Listen(p.ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			p.t.Errorf("an exception: %+v", ev.ExceptionDetails)
		case *log.EventEntryAdded:
			if ev.Entry.Source == log.EntrySourceSecurity {
				p.t.Errorf("security: %s", ev.Entry.Text)
			}
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// js returns what an expression of JavaScript comes to.
func js[T any](p tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true.
func (p tab) until(expression string) {
	p.t.Helper()
	const wait = `new Promise(done => {
		const end = Date.now() + 60000;
		const look = () => { let is = false; try { is = (%) } catch {} is || Date.now() > end ? done(is) : setTimeout(look, 50) };
		look();
	})`
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](strings.Replace(wait, "%", expression, 1), chromedp.EvalAwaitPromise))
	if err != nil || !v {
		text, e := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		p.t.Fatalf("in vain: %s: %v, %v\n%s", expression, err, e, text)
	}
}

// scheme has the page be light or dark.
func (p tab) scheme(name string) {
	p.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.t.Fatal(err)
	}
}

// shows waits for texts in an element.
func (p tab) shows(selector string, texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until(`document.querySelector(` + quote(selector) + `).textContent.includes(` + quote(text) + `)`)
	}
}

// sets has a field hold a value, as if somebody had chosen it.
func (p tab) sets(id, value string) {
	p.t.Helper()
	js[bool](p, `(f => { f.value = `+quote(value)+`; f.dispatchEvent(new Event("input", { bubbles: true })); return f.dispatchEvent(new Event("change", { bubbles: true })) })
		(document.getElementById("`+id+`"))`)
}

// quote returns a text as JavaScript has it.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// errGone is what a director says that is no more.
var errGone = errors.New("10.0.0.3:9443: connection refused")

// enter opens the page of a site, as who has a token, or without one.
func enter(t *testing.T, s *site, token string, height int64) tab {
	t.Helper()
	p := browse(t, s.url, 1280, height)
	if token != "" {
		p.until(`!document.getElementById("login").hidden`)
		p.do(chromedp.SendKeys("#token", token+kb.Enter))
	}
	p.until(`!document.getElementById("page").hidden && document.querySelector(".service") !== null`)
	return p
}
