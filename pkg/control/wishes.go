package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	wishesPath = "/v1/wishes"
	maxOrder   = 16 << 10 // bytes of an Order
)

// The verbs of an Order.
const (
	Drain   = "drain"   // no new clients; those that are there may finish
	Undrain = "undrain" // the drain is over
	Disable = "disable" // out of the table
	Enable  = "enable"  // neither disabled nor draining any more
	Weight  = "weight"  // another weight, or the configured one again
)

// Order is what an operator asks for.
type Order struct {
	Verb     string        `json:"verb"`
	Server   string        `json:"server"`            // address with or without port, name, or tag:NAME
	Service  string        `json:"service,omitempty"` // as it is printed: "tcp 192.0.2.1:80", "group WEB tcp"; empty: all
	Weight   *int32        `json:"weight,omitempty"`  // nil: the configured one
	Reason   string        `json:"reason,omitempty"`
	Deadline time.Duration `json:"deadline,omitempty"` // nanoseconds until a drain is a disable; 0: never
	Expires  time.Duration `json:"expires,omitempty"`  // nanoseconds until it is over; 0: never
	Owner    string        `json:"-"`                  // who asks: the peer of the socket
}

// maxWait is the longest deadline and expiry: ten years.
const maxWait = 10 * 365 * 24 * time.Hour

// Validate says what is wrong with an order, as far as that can be seen without knowing the servers.
func (o *Order) Validate() error {
	for name, d := range map[string]time.Duration{"deadline": o.Deadline, "expires": o.Expires} {
		if d < 0 || d > maxWait || d > 0 && d < time.Millisecond {
			return fmt.Errorf("%s %v: it can be from 1ms to ten years", name, d)
		}
	}
	sets := o.Verb == Drain || o.Verb == Disable || o.Verb == Weight && o.Weight != nil
	switch {
	case !slices.Contains([]string{Drain, Undrain, Disable, Enable, Weight}, o.Verb):
		return fmt.Errorf("verb %q: it can be drain, undrain, disable, enable or weight", o.Verb)
	case o.Server == "":
		return errors.New("there is no server in it")
	case o.Weight != nil && (o.Verb != Weight || *o.Weight < 0):
		return fmt.Errorf("weight %d: it is for the verb weight, and from 0 to 2147483647", *o.Weight)
	case o.Deadline != 0 && o.Verb != Drain:
		return errors.New("only a drain has a deadline")
	case o.Deadline != 0 && o.Expires != 0 && o.Expires <= o.Deadline:
		return fmt.Errorf("it would be over after %v, before the deadline %v", o.Expires, o.Deadline)
	case (o.Expires != 0 || o.Reason != "") && !sets:
		return fmt.Errorf("%s ends something: it has neither reason nor expiry", o.Verb)
	}
	return nil
}

// describe says what an order is, for the audit log.
func (o *Order) describe() string {
	words := []string{o.Verb, o.Server}
	if o.Weight != nil {
		words = append(words, strconv.Itoa(int(*o.Weight)))
	}
	for name, of := range map[string]time.Duration{"deadline": o.Deadline, "expires": o.Expires} {
		if of != 0 {
			words = append(words, name+" "+of.String())
		}
	}
	slices.Sort(words[2:])
	if o.Service != "" {
		words = append(words, "of "+o.Service)
	}
	return strings.Join(words, " ")
}

// Wishes returns what is wanted of servers, and how far that is.
func (c *Client) Wishes(ctx context.Context) (*status.Wishes, error) {
	return ask[status.Wishes](ctx, c, http.MethodGet, wishesPath, nil)
}

// Order has the daemon do what the operator wants of servers, and returns the wishes that this is about. Who asks is for the daemon to find out.
func (c *Client) Order(ctx context.Context, o Order) (*status.Wishes, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return ask[status.Wishes](ctx, c, http.MethodPost, wishesPath, body)
}

func wishesHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := b.Wishes(r.Context())
		reply(w, http.StatusOK, s, err)
	}
}

func orderHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var o Order
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
		d.DisallowUnknownFields()
		err := d.Decode(&o)
		if err == nil {
			err = o.Validate()
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("the order can't be understood: %v", err), http.StatusBadRequest)
			return
		}
		o.Owner = WhoOf(r.Context()).String()
		Describe(r.Context(), o.describe(), o.Reason)
		s, err := b.Order(r.Context(), o)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		reply(w, http.StatusOK, s, nil)
	}
}
