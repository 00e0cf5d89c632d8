//go:build chromium

package web

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// tab is a page in a browser. What goes wrong ends the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browse starts Debian's Chromium with an empty profile, and opens a page of so many pixels in it. It ends with the test.
func browse(t *testing.T, url string, width, height int64) tab {
	t.Helper()
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p := tab{t, ctx}
	p.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	return p
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
	const wait = `new Promise(done => { const look = () => { let is = false; try { is = (%) } catch {} is ? done(true) : setTimeout(look, 50) }; look() })`
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

// serve serves a page about a director, and another one beside it if there is one.
func serve(t *testing.T, g *gate, here, there *director) string {
	t.Helper()
	peers := func() []Peer {
		if there == nil {
			return nil
		}
		return []Peer{{"lb2", there.Status}}
	}
	s := httptest.NewServer(New(here, peers, g))
	t.Cleanup(s.Close)
	return s.URL
}
