package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	applyPath    = "/v1/apply"
	confirmPath  = "/v1/confirm"
	rollbackPath = "/v1/rollback"
	historyPath  = "/v1/history"
	revisionPath = "/v1/revision"
	maxReturn    = 16 << 10 // bytes of a Return
)

// MaxConfirm is the longest time in which a configuration can be confirmed.
const MaxConfirm = 24 * time.Hour

// Revisions is the part of a Backend that is about configurations which are, or were, taken.
type Revisions interface {
	// Apply takes a configuration in place of the daemon's file. A *ConflictError says why not now.
	Apply(ctx context.Context, a Application) (*status.Answer, error)
	// Confirm keeps the configuration that waits for it.
	Confirm(ctx context.Context) (*status.Revision, error)
	// Rollback takes a configuration of the history again.
	Rollback(ctx context.Context, r Return) (*status.Answer, error)
	// History returns which configurations were taken.
	History(ctx context.Context) (*status.History, error)
	// Revision returns a configuration of the history, with its secrets.
	Revision(ctx context.Context, number int) (*File, error)
}

// Taking is how a configuration is to be taken.
type Taking struct {
	Confirm time.Duration `json:"confirm,omitempty"` // nanoseconds in which it must be confirmed, or the former one returns; 0: it stays
	Force   bool          `json:"force,omitempty"`   // over changes of the daemon's file that were not taken, and over included files that are others
	Strict  bool          `json:"strict,omitempty"`  // not if it has warnings
	Reason  string        `json:"reason,omitempty"`
}

// Application is a configuration that is to take the place of the daemon's file. What it includes is looked for beside that file.
type Application struct {
	Name string `json:"name"` // what the user calls it
	Text []byte `json:"text"`
	Taking
}

// Return is what configuration of the history is to be taken again.
type Return struct {
	Number int `json:"number,omitempty"` // 0: the former one, which for a configuration that waits for its confirmation is the one before that
	Taking
}

func (t *Taking) validate() error {
	if t.Confirm < 0 || t.Confirm > MaxConfirm || t.Confirm > 0 && t.Confirm < time.Second {
		return fmt.Errorf("confirm %v: it can be from 1s to 24h", t.Confirm)
	}
	return nil
}

// detail says for the audit log what is taken, and how.
func (t *Taking) detail(what string) string {
	if t.Confirm > 0 {
		what += fmt.Sprintf(", to be confirmed within %v", t.Confirm)
	}
	if t.Force {
		what += ", by force"
	}
	return what
}

// revisionOf is the body of a request for a configuration of the history.
type revisionOf struct {
	Number int `json:"number"`
}

// ConflictError is the reason of a Backend not to do what is asked for now; its text says what would help.
type ConflictError struct{ Text string }

func (e *ConflictError) Error() string { return e.Text }

// Apply has the daemon take a configuration in place of its file.
func (c *Client) Apply(ctx context.Context, a Application) (*status.Answer, error) {
	return send[status.Answer](ctx, c, applyPath, a)
}

// Confirm keeps the configuration that waits for it, and returns which one that is.
func (c *Client) Confirm(ctx context.Context) (*status.Revision, error) {
	return ask[status.Revision](ctx, c, http.MethodPost, confirmPath, nil)
}

// Rollback has the daemon take a configuration of its history again.
func (c *Client) Rollback(ctx context.Context, r Return) (*status.Answer, error) {
	return send[status.Answer](ctx, c, rollbackPath, r)
}

// History returns which configurations the daemon took.
func (c *Client) History(ctx context.Context) (*status.History, error) {
	return ask[status.History](ctx, c, http.MethodGet, historyPath, nil)
}

// Revision returns a configuration of the history, with what it included, and its secrets.
func (c *Client) Revision(ctx context.Context, number int) (*File, error) {
	return send[File](ctx, c, revisionPath, revisionOf{number})
}

func send[T any](ctx context.Context, c *Client, path string, v any) (*T, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return ask[T](ctx, c, http.MethodPost, path, body)
}

// revisionRoutes are the calls about configurations that are or were taken.
func revisionRoutes(b Backend) []Route {
	return []Route{{
		Name: "apply", Method: http.MethodPost, Path: applyPath, Role: Operate, Body: Application{}, MaxBody: 2 * maxFile, Answer: status.Answer{}, Refusal: status.Answer{},
		serve:   applyHandler(b),
		Summary: "Takes a configuration in place of the daemon's file; on the socket only, since a configuration names commands that are run",
		Here:    func(*http.Request) string { return "a configuration names commands that are run" },
	}, {
		Name: "confirm", Method: http.MethodPost, Path: confirmPath, Role: Operate, Answer: status.Revision{}, serve: confirmHandler(b),
		Summary: "Keeps the configuration that waits for its confirmation",
	}, {
		Name: "rollback", Method: http.MethodPost, Path: rollbackPath, Role: Operate, Body: Return{}, MaxBody: maxReturn, Answer: status.Answer{}, Refusal: status.Answer{},
		serve:   rollbackHandler(b),
		Summary: "Takes a configuration of the history again, or the former one of what waits for its confirmation",
	}, {
		Name: "history", Method: http.MethodGet, Path: historyPath, Role: Read, Answer: status.History{}, serve: historyHandler(b),
		Summary: "Which configurations were taken, by whom and why",
	}, {
		Name: "revision", Method: http.MethodPost, Path: revisionPath, Role: Operate, Body: revisionOf{}, MaxBody: maxName, Answer: File{}, serve: revisionHandler(b),
		Summary: "A configuration of the history, with what it included; on the socket only, since there are secrets in it",
		Here:    func(*http.Request) string { return "there are secrets in a configuration" },
	}}
}

func applyHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, ok := decoded[Application](w, r)
		if !ok || refused(w, a.validate()) {
			return
		}
		Describe(r.Context(), a.detail(a.Name), a.Reason)
		s, err := b.Apply(r.Context(), *a)
		taken(w, s, err)
	}
}

func rollbackHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		back, ok := decoded[Return](w, r)
		if !ok || refused(w, back.validate()) {
			return
		}
		Describe(r.Context(), back.detail(fmt.Sprintf("configuration %d", back.Number)), back.Reason)
		s, err := b.Rollback(r.Context(), *back)
		taken(w, s, err)
	}
}

func confirmHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := b.Confirm(r.Context())
		if !conflicts(w, err) {
			reply(w, http.StatusOK, s, err)
		}
	}
}

func historyHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h, err := b.History(r.Context())
		reply(w, http.StatusOK, h, err)
	}
}

func revisionHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		which, ok := decoded[revisionOf](w, r)
		if !ok {
			return
		}
		f, err := b.Revision(r.Context(), which.Number)
		if !conflicts(w, err) {
			reply(w, http.StatusOK, f, err)
		}
	}
}

// taken answers with what came of taking a configuration.
func taken(w http.ResponseWriter, a *status.Answer, err error) {
	if !conflicts(w, err) {
		answer(w, a, err)
	}
}

// conflicts answers where an error is a ConflictError.
func conflicts(w http.ResponseWriter, err error) bool {
	conflict, ok := errors.AsType[*ConflictError](err)
	if ok {
		http.Error(w, conflict.Text, http.StatusConflict)
	}
	return ok
}

func refused(w http.ResponseWriter, err error) bool {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err != nil
}

// decoded returns the body of a request; false: it is not understood, and that was answered.
func decoded[T any](w http.ResponseWriter, r *http.Request) (*T, bool) {
	v := new(T)
	var body bytes.Buffer
	_, err := body.ReadFrom(r.Body) // as long as the route allows
	if err == nil {
		d := json.NewDecoder(&body)
		d.DisallowUnknownFields()
		err = d.Decode(v)
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("the body can't be understood: %v", err), http.StatusBadRequest)
	}
	return v, err == nil
}
