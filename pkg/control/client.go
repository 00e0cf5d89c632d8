package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// ErrNotRunning is the reason of every Client error where no daemon listens on the socket.
var ErrNotRunning = errors.New("no ipvsd is listening")

// patience is how long an answer may take. A daemon takes 20 s for one round on a very slow kernel, and may be in another.
const patience = time.Minute

// Client asks a daemon. Its methods are those of Backend and may be called concurrently.
type Client struct {
	path      string // of the socket, or HOST:PORT; for errors
	url       string // what the paths of requests are put behind
	token     string // file with the secret that is shown; empty: none is
	transport *http.Transport
	reason    string // why it asks, for the audit log
}

// NewClient returns a client for the socket at path. Nothing is opened before the first request.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, url: "http://ipvsd", transport: &http.Transport{DialContext: dial}}
}

var _ Backend = (*Client)(nil)

// Status returns what the daemon knows.
func (c *Client) Status(ctx context.Context) (*status.Snapshot, error) {
	return ask[status.Snapshot](ctx, c, http.MethodGet, statusPath, nil)
}

// Plan returns what taking a configuration would change; without one, what a reload would.
func (c *Client) Plan(ctx context.Context, file *File) (*status.Answer, error) {
	if file == nil {
		return ask[status.Answer](ctx, c, http.MethodPost, planPath, nil)
	}
	path, body := planPath+"?"+url.Values{fileName: {file.Name}}.Encode(), file.Text
	if !file.alone() {
		var err error
		if body, err = json.Marshal(file); err != nil {
			return nil, err
		}
		path += "&" + inJSON + "=1"
	}
	return ask[status.Answer](ctx, c, http.MethodPost, path, body)
}

// Reload makes the daemon read its configuration again. Err is nil also when the configuration was rejected: see Answer.
func (c *Client) Reload(ctx context.Context, strict bool) (*status.Answer, error) {
	path := reloadPath
	if strict {
		path += "?" + strictly + "=1"
	}
	return ask[status.Answer](ctx, c, http.MethodPost, path, nil)
}

// Table returns the kernel's table as the daemon reads it.
func (c *Client) Table(ctx context.Context, services []ipvs.ServiceKey) (*status.Kernel, error) {
	q := url.Values{}
	for _, key := range services {
		q.Add(service, key.String())
	}
	return ask[status.Kernel](ctx, c, http.MethodGet, tablePath+"?"+q.Encode(), nil)
}

func ask[T any](ctx context.Context, c *Client, method, path string, body []byte) (*T, error) {
	resp, err := c.send(ctx, patience, method, path, body)
	if err != nil {
		return nil, err
	}
	return decode[T](c, resp)
}

// send returns the answer to a request, which may take so long with its body; any time if that is 0.
func (c *Client) send(ctx context.Context, limit time.Duration, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.reason != "" {
		req.Header.Set(reasonHeader, url.QueryEscape(c.reason))
	}
	if c.token != "" {
		secret, err := secretIn(c.token)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	h := http.Client{Transport: c.transport, Timeout: limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := h.Do(req)
	switch unfit := new(filesError); {
	case errors.As(err, &unfit):
		return nil, fmt.Errorf("%s: %w", c.path, unfit.err)
	case errors.Is(err, errUnreachable):
		return nil, fmt.Errorf("%s: %w", c.path, errUnreachable)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%s: %w", c.path, ErrNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: %w: it is for root only", c.path, fs.ErrPermission)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s: the daemon runs but doesn't answer: %w", c.path, context.DeadlineExceeded)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", c.path, brief(errors.Unwrap(err))) // without the made-up URL
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnprocessableEntity {
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxReason))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.path, err)
		}
		if resp.StatusCode == http.StatusConflict {
			return nil, &ConflictError{Text: strings.TrimSpace(string(text))}
		}
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	return resp, nil
}

func decode[T any](c *Client, resp *http.Response) (*T, error) {
	return decodeWithin[T](c, resp, maxDocument)
}

func decodeWithin[T any](c *Client, resp *http.Response, most int64) (*T, error) {
	defer func() { _ = resp.Body.Close() }()
	v := new(T)
	body := io.LimitedReader{R: resp.Body, N: most}
	if err := json.NewDecoder(&body).Decode(v); err != nil {
		if body.N <= 0 {
			err = fmt.Errorf("the answer has more than %d MB", most>>20)
		}
		return nil, fmt.Errorf("%s: %w", c.path, brief(err))
	}
	return v, nil
}

// maxDocument is how large what a daemon answers may be, in bytes: another director may be anybody who has its key.
const maxDocument = 256 << 20

// maxReason is how long a reason may be, in bytes, that another director gives, or that quotes what it says.
const maxReason = 4096

// brief returns an error that is not longer than a reason may be.
func brief(err error) error {
	if text := err.Error(); len(text) > maxReason {
		return errors.New(strings.ToValidUTF8(text[:maxReason], "") + "...")
	}
	return err
}
