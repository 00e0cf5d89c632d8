package control

import (
	"context"
	"net/http"

	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	trialPath = "/v1/alert-test"
	maxTrials = 1 // requests at once: each sends mail
)

// Trial has the daemon send a test to all that it alerts. It waits for their answers.
func (c *Client) Trial(ctx context.Context) (*status.Trials, error) {
	resp, err := c.send(ctx, 0, http.MethodPost, trialPath, nil)
	if err != nil {
		return nil, err
	}
	return decode[status.Trials](c, resp)
}

func trialHandler(b Backend) http.HandlerFunc {
	places := make(chan struct{}, maxTrials)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			http.Error(w, "another test of alerts is under way", http.StatusServiceUnavailable)
			return
		}
		t, err := b.Trial(r.Context())
		reply(w, http.StatusOK, t, err)
	}
}
