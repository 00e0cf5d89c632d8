package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// visitor is a browser as far as requests go.
type visitor struct {
	t      *testing.T
	url    string
	client http.Client
}

func visit(t *testing.T, url string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, url, http.Client{Jar: jar}}
}

// ask sends a request with headers "Name: value" and returns the answer with its body.
func (v *visitor) ask(method, path, body string, headers ...string) (*http.Response, string) {
	v.t.Helper()
	r, err := http.NewRequest(method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	_ = answer.Body.Close() // it has been read
	return answer, string(text)
}

// gets wants a status of a request.
func (v *visitor) gets(code int, method, path, body string, headers ...string) string {
	v.t.Helper()
	answer, text := v.ask(method, path, body, headers...)
	if answer.StatusCode != code {
		v.t.Errorf("%s %s %v: %s, not %d: %s", method, path, headers, answer.Status, code, text)
	}
	return text
}

func (v *visitor) login(token string) {
	v.t.Helper()
	v.gets(http.StatusNoContent, "POST", "/page/login", fmt.Sprintf(`{"token": %q}`, token))
}

const drain = `{"verb": "drain", "server": "10.0.0.1:80", "reason": "new kernel"}`

// Every answer keeps a browser from running anything else, and from showing the page in another one.
func TestHeaders(t *testing.T) {
	v := visit(t, serve(t, newDirector("lb1"), nil, false).url)
	for path, media := range map[string]string{
		"/": "text/html; charset=utf-8", "/page/app.js": "text/javascript; charset=utf-8", "/page/style.css": "text/css; charset=utf-8",
		"/page/icon.svg": "image/svg+xml", "/page/state": "text/plain; charset=utf-8", "/page/none": "text/plain; charset=utf-8",
	} {
		answer, _ := v.ask("GET", path, "")
		h := answer.Header
		for name, want := range map[string]string{
			"Content-Type": media, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, not %q", path, name, h.Get(name), want)
			}
		}
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: no %s in %q", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %q", path, policy)
		}
	}
}

// The files name nothing on other hosts, have nothing inline that the policy would refuse, and make no HTML of texts.
func TestAssetsAreAlone(t *testing.T) {
	wrong := regexp.MustCompile(`https?://|//[a-z]+\.|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|<style| style="| on[a-z]+="|@import|javascript:`)
	if len(assets) < 8 {
		t.Errorf("%d files", len(assets))
	}
	for name, a := range assets {
		text := strings.ReplaceAll(string(a.text), "http://www.w3.org/2000/svg", "") // a name, which nobody fetches
		if found := wrong.FindString(text); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

// A file that has not changed is not sent again.
func TestAssetsAreKept(t *testing.T) {
	v := visit(t, serve(t, newDirector("lb1"), nil, false).url)
	answer, _ := v.ask("GET", "/page/app.js", "")
	v.gets(http.StatusNotModified, "GET", "/page/app.js", "", "If-None-Match: "+answer.Header.Get("Etag"))
	v.gets(http.StatusOK, "GET", "/page/app.js", "", `If-None-Match: "another"`)
}

// What a caller may, by role: nobody sees nothing, a reader changes nothing.
func TestRoles(t *testing.T) {
	for _, c := range []struct {
		token        string
		state, order int
	}{
		{"", http.StatusUnauthorized, http.StatusUnauthorized},
		{readToken, http.StatusOK, http.StatusForbidden},
		{operateToken, http.StatusOK, http.StatusOK},
	} {
		d := newDirector("lb1", many(t, 1, 2)...)
		v := visit(t, serve(t, d, nil, false).url)
		if c.token != "" {
			v.login(c.token)
		}
		v.gets(c.state, "GET", "/page/state", "")
		v.gets(c.order, "POST", "/v1/wishes", drain)
		if orders := d.ordered(); (len(orders) == 1) != (c.order == http.StatusOK) {
			t.Errorf("token %q: orders %v", c.token, orders)
		} else if len(orders) == 1 && orders[0].Owner != "token night-shift" {
			t.Errorf("the owner is %q", orders[0].Owner)
		}
		v.gets(http.StatusOK, "GET", "/", "") // which has nothing of the director
	}
}

// A session is for as long as its token counts, and until somebody ends it.
func TestSessions(t *testing.T) {
	s := serve(t, newDirector("lb1"), nil, false)
	v := visit(t, s.url)
	v.gets(http.StatusForbidden, "POST", "/page/login", `{"token": "wrong-0123456789abcdef"}`)
	v.gets(http.StatusForbidden, "POST", "/page/login", `{"token": ""}`)
	v.gets(http.StatusBadRequest, "POST", "/page/login", `{"tokens": "x"}`)
	v.gets(http.StatusUnauthorized, "GET", "/page/state", "")

	answer, _ := v.ask("POST", "/page/login", fmt.Sprintf(`{"token": %q}`, readToken))
	cookies := answer.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Path != "/" || cookies[0].Domain != "" {
		t.Fatalf("cookies %v", cookies)
	}
	if strings.Contains(cookies[0].Value, readToken) || len(cookies[0].Value) < 32 {
		t.Errorf("the cookie is %q", cookies[0].Value)
	}
	v.gets(http.StatusOK, "GET", "/page/state", "")
	stranger := visit(t, s.url)
	stranger.gets(http.StatusUnauthorized, "GET", "/page/state", "", "Cookie: "+cookies[0].Name+"=-")
	stranger.gets(http.StatusOK, "GET", "/page/state", "", "Cookie: "+cookies[0].Name+"="+cookies[0].Value)

	v.gets(http.StatusNoContent, "POST", "/page/logout", "")
	stranger.gets(http.StatusUnauthorized, "GET", "/page/state", "", "Cookie: "+cookies[0].Name+"="+cookies[0].Value)

	v.login(readToken)
	v.gets(http.StatusOK, "GET", "/page/state", "")
	s.access.Tokens = s.access.Tokens[1:]
	s.Follow(s.access)
	lab.WaitFor(t, time.Minute, "the token to count no more", func() error {
		if answer, text := v.ask("GET", "/page/state", ""); answer.StatusCode != http.StatusUnauthorized {
			return errors.New(answer.Status + " " + text)
		}
		return nil
	})
}

// A page that asks who is there does so itself, without the browser's own dialog; programs are asked for a secret.
func TestChallenge(t *testing.T) {
	v := visit(t, serve(t, newDirector("lb1"), nil, false).url)
	for _, c := range []struct {
		path, mode string
		asks       bool
	}{
		{"/page/state", "cors", false}, {"/page/state", "", false}, {"/v1/status", "cors", false}, {"/v1/status", "same-origin", false},
		{"/v1/status", "", true}, {"/v1/status", "navigate", true},
	} {
		answer, _ := v.ask("GET", c.path, "", "Sec-Fetch-Mode: "+c.mode)
		if asked := answer.Header.Get("WWW-Authenticate") != ""; answer.StatusCode != http.StatusUnauthorized || asked != c.asks {
			t.Errorf("%+v: %s, %v", c, answer.Status, asked)
		}
	}
}

// Who shows a wrong secret has to wait soon, also at the page, where anybody may ask.
func TestGuessing(t *testing.T) {
	for what, try := range map[string]func(*visitor) *http.Response{
		"form": func(v *visitor) *http.Response {
			answer, _ := v.ask("POST", "/page/login", `{"token": "guess-0123456789abcdef"}`)
			return answer
		},
		"header": func(v *visitor) *http.Response {
			answer, _ := v.ask("GET", "/page/state", "", "Authorization: Bearer guess-0123456789abcdef")
			return answer
		},
	} {
		v := visit(t, serve(t, newDirector("lb1"), nil, false).url)
		waits := false
		for range 50 { // which is less than anybody may ask for
			waits = waits || try(v).StatusCode == http.StatusTooManyRequests
		}
		if !waits {
			t.Errorf("%s: fifty guesses in a row", what)
		}
	}
}

// By TLS the cookie is one that no other host and no plain request can set or get.
func TestSecureCookie(t *testing.T) {
	s := httptest.NewTLSServer(New(newDirector("lb1"), func(*http.Request, string) bool { return true }))
	t.Cleanup(s.Close)
	answer, err := s.Client().Post(s.URL+"/page/login", "application/json", strings.NewReader(fmt.Sprintf(`{"token": %q}`, readToken)))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // empty
	if c := answer.Cookies(); len(c) != 1 || !c[0].Secure || !strings.HasPrefix(c[0].Name, "__Host-") {
		t.Errorf("cookies %v", c)
	}
}

// What another site has a browser send does nothing, whoever is logged in.
func TestForgery(t *testing.T) {
	d := newDirector("lb1", many(t, 1, 2)...)
	v := visit(t, serve(t, d, nil, false).url)
	v.login(operateToken)
	v.gets(http.StatusForbidden, "POST", "/v1/wishes", drain, "Sec-Fetch-Site: cross-site")
	v.gets(http.StatusForbidden, "POST", "/v1/wishes", drain, "Sec-Fetch-Site: same-site")
	v.gets(http.StatusForbidden, "POST", "/v1/wishes", drain, "Origin: https://evil.example")
	v.gets(http.StatusForbidden, "POST", "/page/login", `{}`, "Origin: https://evil.example")
	v.gets(http.StatusUnsupportedMediaType, "POST", "/page/login", `{}`, "Content-Type: text/plain")
	v.gets(http.StatusUnsupportedMediaType, "POST", "/page/login", `{}`, "Content-Type: application/x-www-form-urlencoded")
	// A name that somebody has pointed at this host is none of ours.
	v.gets(http.StatusMisdirectedRequest, "GET", "/page/state", "", "Host: evil.example")
	v.gets(http.StatusMisdirectedRequest, "GET", "/", "", "Host: evil.example:8080")
	if orders := d.ordered(); len(orders) != 0 {
		t.Fatalf("orders %v", orders)
	}
	v.gets(http.StatusOK, "POST", "/v1/wishes", drain, "Sec-Fetch-Site: same-origin", "Origin: "+v.url)
	if orders := d.ordered(); len(orders) != 1 || orders[0].Verb != control.Drain || orders[0].Server != "10.0.0.1:80" {
		t.Errorf("orders %v", orders)
	}
}

// What can't be understood is refused with the reason.
func TestBadLogins(t *testing.T) {
	v := visit(t, serve(t, newDirector("lb1"), nil, false).url)
	for _, body := range []string{`{"token": `, `[[[[[[[[[[`, `{"token": 1}`, `{"name": "x"}`} {
		if text := v.gets(http.StatusBadRequest, "POST", "/page/login", body); !strings.Contains(text, "can't be understood") {
			t.Errorf("%s: %q", body, text)
		}
	}
	v.gets(http.StatusRequestEntityTooLarge, "POST", "/page/login", `{"token": "`+strings.Repeat("x", maxBody)+`"}`)
}

// state returns what the page would get.
func (v *visitor) state(since string) (s State) {
	v.t.Helper()
	text := v.gets(http.StatusOK, "GET", "/page/state?since="+since, "")
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		v.t.Fatal(err)
	}
	for _, field := range []string{`"services":null`, `"peers":null`, `"wishes":null`, `"events":null`, `"notes":null`, `"servers":null`, `"tags":null`} {
		if strings.Contains(text, field) {
			v.t.Errorf("%s, where the page counts on a list", field)
		}
	}
	return s
}

// keys returns those of the services in a state.
func (s *State) keys(t *testing.T) (list []string) {
	t.Helper()
	for _, text := range s.Services {
		var v service
		d := json.NewDecoder(bytes.NewReader(text))
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v.Key)
	}
	return list
}
