package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	resp, err := c.send(ctx, patience, http.MethodPost, exchangePath, body)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxMessage)
	answer, err := decode[admin.Message](c, resp)
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return nil, fmt.Errorf("%s: its answer has more than %d bytes", c.path, tooLong.Limit)
	}
	return answer, err
}

// describeTaken has the audit log tell what another director has brought. There is a message every few seconds, and seldom anything new in it.
func describeTaken(ctx context.Context, answer *admin.Message) {
	if answer == nil || len(answer.Taken) == 0 {
		unrecorded(ctx)
		return
	}
	const most = 5
	var list []string
	for i := range answer.Taken {
		if i == most {
			list = append(list, fmt.Sprintf("%d more", len(answer.Taken)-most))
			break
		}
		w := &answer.Taken[i]
		text := w.What.String() + " " + w.Server.String()
		if w.Cleared {
			text = "end of " + text
		}
		if w.Service != "" {
			text += " of " + w.Service
		}
		list = append(list, text+" by "+cmp.Or(w.Owner, "somebody"))
	}
	Describe(ctx, strings.Join(list, ", "), answer.Taken[0].Reason)
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
		describeTaken(r.Context(), answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		reply(w, http.StatusOK, answer, nil)
	}
}
