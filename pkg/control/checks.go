package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	checksPath = "/v1/checks"
	probePath  = "/v1/probe"
	history    = "history" // query parameter
)

const (
	maxProbes     = 4                // requests to probe that are under way at once
	probePatience = 20 * time.Second // how long another one waits for one of them to end
)

// Checks returns the checks that a query asks for, with their last results if those are asked for, too.
func (c *Client) Checks(ctx context.Context, q status.CheckQuery, last bool) (*status.Checks, error) {
	v := checkWords(q)
	if last {
		v.Set(history, "1")
	}
	return ask[status.Checks](ctx, c, http.MethodGet, checksPath+"?"+v.Encode(), nil)
}

// Probe has the daemon run the checks that a query asks for once, now. Only the context limits how long that takes.
func (c *Client) Probe(ctx context.Context, q status.CheckQuery) (*status.Probes, error) {
	resp, err := c.send(ctx, 0, http.MethodPost, probePath+"?"+checkWords(q).Encode(), nil)
	if err != nil {
		return nil, err
	}
	return decode[status.Probes](c, resp)
}

// checkFields are a query's words by the names of the parameters.
func checkFields(q *status.CheckQuery) map[string]*string {
	return map[string]*string{"server": &q.Server, service: &q.Service, "type": &q.Type, "state": &q.State}
}

func checkWords(q status.CheckQuery) url.Values {
	v := url.Values{}
	for name, word := range checkFields(&q) {
		if *word != "" {
			v.Set(name, *word)
		}
	}
	return v
}

// checkRequest reads the parameters. One that is unknown would otherwise pass for a filter.
func checkRequest(v url.Values) (q status.CheckQuery, last bool, err error) {
	known := checkFields(&q)
	for _, name := range slices.Sorted(maps.Keys(v)) {
		values := v[name]
		word := known[name]
		switch {
		case len(values) > 1:
			err = fmt.Errorf("parameter %s: there can be one", name)
		case word != nil:
			*word = values[0]
		case name == history:
			if last, err = strconv.ParseBool(values[0]); err != nil {
				err = errors.New("parameter history: it can be 0 or 1")
			}
		default:
			err = fmt.Errorf("parameter %s: it can be %s, %s", name, history, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if err != nil {
			return q, false, err
		}
	}
	_, err = q.Filter()
	return q, last, err
}

// checksHandler answers with checks.
func checksHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, last, err := checkRequest(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s, err := b.Checks(r.Context(), q, last)
		reply(w, http.StatusOK, s, err)
	}
}

// probeHandler answers requests to probe, a few at once: each is work for a server, too.
func probeHandler(b Backend) http.HandlerFunc {
	places := make(chan struct{}, maxProbes)
	return func(w http.ResponseWriter, r *http.Request) {
		q, last, err := checkRequest(r.URL.Query())
		if err == nil && last {
			err = errors.New("parameter history: a probe has none")
		}
		if err == nil && q.Server == "" {
			err = errors.New("parameter server: it is missing; all at once would be too much")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), probePatience)
		defer cancel()
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-ctx.Done():
			http.Error(w, fmt.Sprintf("others have %d servers probed; no more are at once: try again when one has ended", maxProbes),
				http.StatusServiceUnavailable)
			return
		}
		p, err := b.Probe(r.Context(), q)
		reply(w, http.StatusOK, p, err)
	}
}
