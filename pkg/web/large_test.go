//go:build chromium

package web

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// watch notes what keeps the page from answering: tasks of more than 50 ms. And what of the services changes in it.
const watch = `
	window.long = [];
	new PerformanceObserver(list => long.push(...list.getEntries().map(e => Math.round(e.duration)))).observe({ type: "longtask", buffered: true });
	window.touched = new Set();
	new MutationObserver(list => list.forEach(m => {
		const service = (m.target.closest ? m.target : m.target.parentElement)?.closest(".service");
		if (service) touched.add(service.id);
	})).observe(document.querySelector(".services"), { subtree: true, characterData: true, childList: true, attributes: true });
	true`

// 400 services with 8 servers each: what has not changed is not touched, and the rows that there were are those that there are.
func TestPageLarge(t *testing.T) { // alone, since it measures
	here := newDirector("lb1", many(t, 400, 8)...)
	there := newDirector("lb2", many(t, 400, 8)...)
	p := enter(t, serve(t, here, there, true), "", 900)
	p.until(`document.getElementById("count").textContent === "400 services" && document.querySelector("#directors").textContent.includes("the same")`)
	js[bool](p, watch)
	js[bool](p, `window.rows = [...document.querySelectorAll(".service")]; true`)

	here.change(func(s *status.Snapshot) { fail(&s.Services[399].Servers[7], "connection refused", s.At) })
	p.until(`document.getElementById("service-399").textContent.includes("7 of 8")`)
	p.until(`document.querySelector("#directors").textContent.includes("1 server in another state")`)
	touched := js[[]string](p, `[...touched].filter(id => id !== "service-399" && document.getElementById(id).getBoundingClientRect().top > innerHeight * 2)`)
	if len(touched) != 0 {
		t.Errorf("services that have not changed, out of sight, were touched: %v", touched)
	}

	here.mu.Lock()
	here.moves = true // now every counter changes every time
	here.mu.Unlock()
	from := js[string](p, `document.getElementById("service-399").textContent`)
	p.until(`document.getElementById("service-399").textContent !== ` + quote(from))
	js[bool](p, `document.querySelectorAll(".service").forEach((s, i) => i % 20 || s.querySelector(".open").click()); scrollTo(0, 5000); true`)
	p.until(`document.querySelectorAll(".inside:not([hidden])").length === 20 && scrollY > 1000`)
	rate := `document.querySelector("#tiles").textContent`
	for range 3 {
		p.until(rate + " !== " + quote(js[string](p, rate)))
	}
	if !js[bool](p, `rows.length === 400 && rows.every((r, i) => r === document.getElementById("service-" + i) && r.isConnected)`) {
		t.Error("rows were made anew")
	}

	p.do(chromedp.SendKeys("#find", "10.1.199.8"))
	p.until(`document.getElementById("count").textContent === "1 of 400 services"`)
	p.sets("find", "")
	p.sets("show", "trouble")
	p.until(`document.getElementById("count").textContent === "1 of 400 services"`)
	p.sets("show", "all")
	p.sets("sort", "trouble")
	p.until(`document.querySelector(".service").id === "service-399"`)
	t.Logf("tasks of more than 50 ms while all of 3,200 servers change every 2 s and 20 services are open: %v ms", js[[]int](p, "long"))
}

// A service that joins the configuration, and one that leaves it, do so where they belong.
func TestPageReloads(t *testing.T) {
	t.Parallel()
	services := many(t, 10, 2)
	here := newDirector("lb1", services[:9]...)
	p := enter(t, serve(t, here, nil, false), operateToken, 900)
	keys := `[...document.querySelectorAll(".service b")].map(b => b.textContent).join()`
	p.until(keys + `.split(",").length === 9`)
	here.change(func(s *status.Snapshot) {
		s.Services = append([]status.Service{services[9], services[0]}, services[2:5]...)
	})
	p.until(keys + ` === "tcp 192.0.2.10:80,tcp 192.0.2.1:80,tcp 192.0.2.3:80,tcp 192.0.2.4:80,tcp 192.0.2.5:80"`)
}
