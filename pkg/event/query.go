package event

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query picks events. The zero value picks all that are remembered.
type Query struct {
	After Position  // those after it; the zero value: from the oldest
	Since time.Time // those from then on
	Last  *int      // of those, no more than so many latest before what is new; nil: all

	Service  string // its name
	Server   string // address with or without port
	Instance string // of VRRP, or a sync group
	Kinds    []Kind // empty: all

	Follow bool // those to come, too
}

// Picks says whether an event is one of those that are wanted, as far as its names and its kind go.
func (q *Query) Picks(e *Event) bool {
	return (q.Service == "" || q.Service == e.Service) &&
		(q.Server == "" || e.Server != "" && (q.Server == e.Server || q.Server == host(e.Server))) &&
		(q.Instance == "" || q.Instance == e.Instance || q.Instance == e.Group) &&
		(len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind))
}

// host returns the address of an address with a port, without brackets.
func host(server string) string {
	if i := strings.LastIndexByte(server, ':'); i >= 0 {
		server = server[:i]
	}
	return strings.Trim(server, "[]")
}

// Values returns the query as parameters of a request.
func (q *Query) Values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Add(name, value)
		}
	}
	set("service", q.Service)
	set("server", q.Server)
	set("instance", q.Instance)
	for _, k := range q.Kinds {
		set("kind", string(k))
	}
	if q.After.Epoch != "" {
		set("after", q.After.String())
	}
	if !q.Since.IsZero() {
		set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Last != nil {
		set("last", strconv.Itoa(*q.Last))
	}
	set("follow", strconv.FormatBool(q.Follow))
	return v
}

// ParseQuery returns the query in the parameters of a request. Events are followed unless follow is false; since may be how long ago it
// was. A parameter that is unknown is an error: it would pass for a filter.
func ParseQuery(v url.Values, now time.Time) (Query, error) {
	q := Query{Follow: true}
	var errs []error
	for name, values := range v {
		for i, value := range values {
			err := error(nil)
			if i > 0 && name != "kind" {
				err = errors.New("there can be one")
			} else {
				err = q.set(name, value, now)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("parameter %.80q: %w", name, err))
			}
		}
	}
	if len(errs) > 0 {
		return Query{}, errs[0]
	}
	slices.Sort(q.Kinds)
	q.Kinds = slices.Compact(q.Kinds)
	return q, nil
}

func (q *Query) set(name, value string, now time.Time) (err error) {
	switch name {
	case "service":
		q.Service = value
	case "server":
		q.Server = value
	case "instance":
		q.Instance = value
	case "kind":
		var kinds []Kind
		kinds, err = ParseKinds(value)
		q.Kinds = append(q.Kinds, kinds...)
	case "after":
		q.After, err = ParsePosition(value)
	case "since":
		q.Since, err = ParseSince(value, now)
	case "last":
		n, e := strconv.Atoi(value)
		if q.Last = &n; e != nil || n < 0 {
			err = fmt.Errorf("%.80q: it is a number from 0 on", value)
		}
	case "follow":
		if q.Follow, err = strconv.ParseBool(value); err != nil {
			err = fmt.Errorf("%.80q: it can be true or false", value)
		}
	default:
		err = errors.New("it can be after, since, last, service, server, instance, kind, follow")
	}
	return err
}

// ParseKinds returns the kinds of a list with commas.
func ParseKinds(list string) (kinds []Kind, err error) {
	for name := range strings.SplitSeq(list, ",") {
		k := Kind(strings.TrimSpace(name))
		if !slices.Contains(Kinds, k) {
			return nil, fmt.Errorf("there is no kind %.80q: it can be %s", k, KindsText())
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// KindsText is a list of all kinds.
func KindsText() string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// ParseSince returns the moment that a user means: how long ago, such as 10m, or a time as RFC 3339 has it.
func ParseSince(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf("%.80q: it is how long ago, such as 10m, or a time such as 2026-01-31T14:00:00Z", s)
	}
	return t, nil
}
