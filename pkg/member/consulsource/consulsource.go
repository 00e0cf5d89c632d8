// Package consulsource reads members from Consul: the instances of a service of its catalogue, by blocking queries of its HTTP API
// (/v1/health/service). What its checks say does not count, since ours do; but an instance in maintenance has weight 0.
//
// Run is the goroutine of one source.
package consulsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/member/access"
)

const (
	// wait is how long Consul may keep a question until something changes.
	wait = 30 * time.Second
	// patience is how much longer the answer may take. Consul adds a sixteenth of wait, so that not all ask again at once.
	patience = 10 * time.Second
	// pause is between two questions: what changes all the time is asked for no more often.
	pause = 100 * time.Millisecond
	// firstRetry and lastRetry are when it is asked again after it failed: twice as late each time.
	firstRetry, lastRetry = time.Second, 30 * time.Second
	// maxAnswer is how long an answer may be, in bytes.
	maxAnswer = 64 << 20
)

const blind = "its ACLs hide servers from this token: service:read and node:read are needed"

// Run asks until the context is done, and posts the answers.
func Run(ctx context.Context, source member.Source, post func(member.Report)) {
	r := reader{source: source}
	defer func() { r.close() }()
	retry := firstRetry
	for {
		report, err := r.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		d := pause
		if err != nil {
			report = member.Report{Source: source, Err: plainly(err)}
			d, retry = retry, min(2*retry, lastRetry)
			r.close()
			r = reader{source: source} // its files may be others
		} else {
			retry = firstRetry
			if r.index == 0 {
				d = firstRetry // the next answer comes at once
			}
		}
		post(report)
		timer := time.NewTimer(d)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// reader is how far the conversation is.
type reader struct {
	source member.Source
	client *http.Client
	token  string
	index  uint64 // of the last answer; 0: the next one comes at once
}

func (r *reader) close() {
	if r.client != nil {
		r.client.CloseIdleConnections()
	}
}

func (r *reader) ask(ctx context.Context) (report member.Report, err error) {
	if r.client == nil {
		if r.token, err = access.Secret(r.source.Access); err != nil {
			return report, err
		}
		transport := &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
		if transport.TLSClientConfig, err = access.TLS(r.source.Access); err != nil {
			return report, err
		}
		r.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	ctx, cancel := context.WithTimeout(ctx, wait+wait/16+patience)
	defer cancel()
	query := url.Values{}
	if r.index > 0 {
		query = url.Values{"index": {strconv.FormatUint(r.index, 10)}, "wait": {wait.String()}}
	}
	address := r.source.At + "/v1/health/service/" + url.PathEscape(r.source.Name) + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return report, err
	}
	if r.token != "" {
		request.Header.Set("X-Consul-Token", r.token)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return report, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return report, err
	case answer.StatusCode != http.StatusOK:
		return report, errors.New(strings.TrimSpace(fmt.Sprintf("%s %.100s", answer.Status, body)))
	case len(body) > maxAnswer:
		return report, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case answer.Header.Get("X-Consul-KnownLeader") == "false" && answer.Header.Get("X-Consul-Query-Backend") != "streaming":
		// What comes by streaming, the default since 1.10, says false at all times.
		return report, errors.New("it has no leader, and may not know of all servers")
	}
	report, err = parse(body)
	report.Source = r.source
	// A token that has lost its rights sees an empty catalogue, and no error.
	if hidden := answer.Header.Get("X-Consul-Results-Filtered-By-ACLs") == "true"; err == nil && hidden {
		if len(report.Members) == 0 {
			return report, errors.New(blind)
		}
		report.Warning = strings.TrimPrefix(report.Warning+"; "+blind, "; ")
	}
	if err == nil {
		r.index = next(r.index, answer.Header.Get("X-Consul-Index"))
	}
	return report, err
}

// next returns the index to wait for. One that goes back, or is 0, begins anew: Consul was restored, or has restarted.
func next(before uint64, header string) uint64 {
	index, err := strconv.ParseUint(header, 10, 64)
	if err != nil || index < before {
		return 0
	}
	return index
}

// instance is what of an entry of /v1/health/service counts.
type instance struct {
	Node struct {
		Node    string
		Address string
	}
	Service struct {
		ID      string
		Address string // empty: the node's
		Port    uint16
		Tags    []string
		Weights struct{ Passing int64 }
	}
	Checks []struct {
		CheckID string
		Status  string
	}
}

// parse reads an answer. What names no address is left out, with a warning: a member is where its clients go, and has no second name.
func parse(body []byte) (r member.Report, err error) {
	var list []instance
	if err := json.Unmarshal(body, &list); err != nil {
		return r, fmt.Errorf("the answer is not Consul's: %w", err)
	}
	weighed := false // all have weight 1 if nobody says anything
	for i := range list {
		weighed = weighed || list[i].Service.Weights.Passing > 1
	}
	wrong := 0
	for i := range list {
		s := &list[i].Service
		address := s.Address
		if address == "" {
			address = list[i].Node.Address
		}
		m, err := member.At(address)
		if err != nil || m.Port != 0 {
			if wrong++; wrong == 1 {
				r.Warning = fmt.Sprintf("%.80s has the address %.80q: only those are servers that are named by IP address", s.ID, address)
			}
			continue
		}
		m.Port = s.Port
		m.Describe(list[i].Node.Node, s.Tags...)
		if m.Name == "" {
			m.Describe(s.ID)
		}
		switch {
		case list[i].maintained():
			m.Weigh(0)
		case weighed:
			m.Weigh(s.Weights.Passing)
		}
		r.Members = append(r.Members, m)
	}
	if wrong > 1 {
		r.Warning += fmt.Sprintf(" (and %d more)", wrong-1)
	}
	if r.Members = member.Arrange(r.Members); len(r.Members) > member.MaxMembers {
		return r, fmt.Errorf("there are more than %d servers", member.MaxMembers)
	}
	return r, nil
}

// maintained says whether somebody has put the instance or its node in maintenance.
func (i *instance) maintained() bool {
	for _, c := range i.Checks {
		if c.CheckID == "_node_maintenance" || strings.HasPrefix(c.CheckID, "_service_maintenance") {
			return true
		}
	}
	return false
}

// plainly says what went wrong without the URL, which is another each time.
func plainly(err error) string {
	var u *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &u):
		return u.Err.Error()
	}
	return err.Error()
}
