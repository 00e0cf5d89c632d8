package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/ipvsd/ipvsd/pkg/admin"
)

const (
	exchangePath = "/v1/wishes/exchange"
	maxMessage   = 64 << 20 // bytes of an admin.Message
)

// Exchanger is the part of a Backend that other directors talk with.
type Exchanger interface {
	// Exchange takes what is newer in another director's wishes, and answers with what is wanted here.
	Exchange(ctx context.Context, m admin.Message) (*admin.Message, error)
}

// Exchange tells another director what is wanted of servers here, and returns its answer. Who asks is for that one to find out.
func (c *Client) Exchange(ctx context.Context, m admin.Message) (*admin.Message, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return ask[admin.Message](ctx, c, http.MethodPost, exchangePath, body)
}

func exchangeHandler(b Exchanger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var m admin.Message
		// A later version may say more than this one knows of. What it wants of servers has to be understood to the last word: State sees to it.
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, fmt.Sprintf("the message can't be understood: %v", err), http.StatusBadRequest)
			return
		}
		m.From = WhoOf(r.Context()).String()
		answer, err := b.Exchange(r.Context(), m)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		reply(w, http.StatusOK, answer, nil)
	}
}
