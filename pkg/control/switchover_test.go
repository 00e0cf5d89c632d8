package control_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestSwitchover(t *testing.T) {
	r := &routers{}
	c, path := withRouters(t, r)
	if _, err := c.Switchover(t.Context(), `VI "1"`, false); err != nil || r.asked != `VI "1"` {
		t.Errorf("%q, %v", r.asked, err)
	}
	r.err = errors.New("VI_1 is BACKUP here: only the MASTER can hand over")
	if _, err := c.Switchover(t.Context(), "VI_1", false); err == nil || err.Error() != r.err.Error() {
		t.Errorf("%v", err)
	}
	r.asked = ""
	h := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	for _, body := range []string{"", "{}", `{"name": 7}`, `{"nam": "VI_1"}`, `{"name": "VI_1", "force": 1}`, `{"name": "` + strings.Repeat("x", 1<<20) + `"}`} {
		resp, err := h.Post("http://ipvsd/v1/switchover", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: http.StatusRequestEntityTooLarge, false: http.StatusBadRequest}[len(body) > 4096]; resp.StatusCode != want || r.asked != "" {
			t.Errorf("%.20s: %s", body, resp.Status)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
