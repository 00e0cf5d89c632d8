package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// Only who sends a token that is one gets a cookie, whatever passes for a body; and who is refused is told why in a line.
func FuzzLogin(f *testing.F) {
	const good = "a-token-of-this-director"
	for _, body := range []string{
		`{"token": "` + good + `"}`, `{"token": ""}`, `{"Token": "x"} {}`, `{"token": 7}`, `{"token": "x", "more": 1}`, `null`, `[]`, ``,
		`{"token": "` + strings.Repeat("x", maxBody) + `"}`, `{"` + strings.Repeat("\x9b", 1000) + `": 0}`,
	} {
		f.Add("application/json", []byte(body))
	}
	f.Add("text/plain", []byte(`{"token": "`+good+`"}`))
	f.Add("application/json; charset=utf-8", []byte(`{"token": "`+good+`"}`))
	f.Fuzz(func(t *testing.T, media string, body []byte) {
		asked := "nobody"
		p := New(newDirector("lb1"), func(_ *http.Request, token string) bool {
			asked = token
			return token == good
		})
		r := httptest.NewRequest(http.MethodPost, "http://localhost/page/login", bytes.NewReader(body))
		r.Header["Content-Type"] = []string{media}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		switch in := asked == good; {
		case in != (w.Code == http.StatusNoContent), in != (len(cookies) == 1), in != (len(p.sessions.open) == 1), !in && (w.Code < 400 || w.Code > 499):
			t.Errorf("%q of %q as %q: %d, %d cookies, %d sessions", asked, body, media, w.Code, len(cookies), len(p.sessions.open))
		case in:
			again := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
			again.AddCookie(cookies[0])
			if p.Secret(again) != good {
				t.Errorf("the session of %v is none", cookies[0])
			}
		case strings.Count(w.Body.String(), "\n") != 1 || len(body) > 0 && len(good) < len(w.Body.String())-400:
			t.Errorf("it is told %q", w.Body)
		}
	})
}

// Whatever another director says of itself, and whatever a browser says it has seen, the page has all services, or those that have changed.
func FuzzState(f *testing.F) {
	here := newDirector("lb1", many(f, 2, 2)...)
	text, err := json.Marshal(newDirector("lb2", many(f, 3, 1)...).whole)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", text)
	for _, since := range []string{"-", "x-1", "x-18446744073709551615", "x--1"} {
		f.Add(since, []byte(`{"services": [{}, {"servers": [{}]}], "vrrp": {"instances": [{}]}, "wishes": [{}]}`))
	}
	f.Fuzz(func(t *testing.T, since string, text []byte) {
		there := new(status.Snapshot)
		if json.Unmarshal(text, there) != nil {
			return
		}
		told := newTeller(&fixed{director: here})
		told.peers["lb2"] = &peer{snapshot: there, asked: true, busy: true}
		s, err := told.tell(context.Background(), strings.Replace(since, "x", told.epoch, 1))
		if err != nil {
			t.Fatal(err)
		}
		if shown, err := json.Marshal(s); err != nil || len(s.Peers) != 1 || s.Peers[0].There == nil || s.Peers[0].Differ < 0 {
			t.Errorf("%s, %v", shown, err)
		}
		if seen := strings.HasSuffix(since, "x-1"); s.Whole != (len(s.Services) == 2) || s.Whole == (seen && since == "x-1") {
			t.Errorf("since %q: whole %v, %d services", since, s.Whole, len(s.Services))
		}
	})
}

// fixed is a director that does not change, beside one that is not asked again.
type fixed struct{ *director }

func (*fixed) Peers(context.Context) ([]Peer, error) { return []Peer{{Name: "lb2"}}, nil }
