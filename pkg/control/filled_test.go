package control

import (
	"context"
	"encoding"
	"errors"
	"iter"
	"net/netip"
	"reflect"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/audit"
	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// filled returns a value that has something in every member; an empty one nothing, not even lists.
func filled[T any](empty bool) *T {
	v := new(T)
	fill(reflect.ValueOf(v).Elem(), empty, 0)
	return v
}

func fill(v reflect.Value, empty bool, depth int) {
	if text, is := reflect.TypeAssert[encoding.TextMarshaler](v.Addr()); is {
		word(v, text)
		return
	}
	if v.Type() == aTime || depth > 12 {
		return
	}
	switch v.Kind() { //nolint:exhaustive // what answers are made of
	case reflect.Bool:
		v.SetBool(!empty)
	case reflect.String:
		v.SetString(map[bool]string{true: "", false: "x\n\"ä"}[empty])
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(map[bool]int64{true: 0, false: -7}[empty])
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(map[bool]uint64{true: 0, false: 7}[empty])
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field, empty, depth+1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), empty, depth+1)
		}
	case reflect.Pointer:
		if !empty {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), empty, depth+1)
		}
	case reflect.Slice:
		if !empty {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			for i := range v.Len() {
				fill(v.Index(i), empty, depth+1)
			}
		}
	case reflect.Map:
		if !empty {
			key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, empty, depth+1)
			fill(item, empty, depth+1)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(key, item)
		}
	}
}

// word fills what is written as a text: with the first value that there is a word for.
func word(v reflect.Value, text encoding.TextMarshaler) {
	at := netip.MustParseAddrPort("192.0.2.1:80")
	for _, value := range []any{at, at.Addr(), netip.PrefixFrom(at.Addr(), 24), ipvs.AddressKey(ipvs.TCP, at), admin.Server{AddrPort: at}, time.Unix(1e9, 0)} {
		if reflect.TypeOf(value) == v.Type() {
			v.Set(reflect.ValueOf(value))
			return
		}
	}
	for n := range uint64(16) {
		if _, err := text.MarshalText(); err == nil {
			return
		}
		if v.CanUint() {
			v.SetUint(n)
		}
	}
}

// sample is a Backend, its Routers and its Auditor, with answers that have something in every member, or nothing.
type sample struct{ empty bool }

func (s sample) Status(context.Context) (*status.Snapshot, error) {
	return filled[status.Snapshot](s.empty), nil
}

func (s sample) refusable() *status.Answer {
	a := filled[status.Answer](s.empty)
	if s.empty {
		a.Rejected = "t.toml:1:1: it is wrong" // an answer with status 422
	} else {
		a.Rejected = ""
	}
	return a
}

func (s sample) Plan(context.Context, *File) (*status.Answer, error)  { return s.refusable(), nil }
func (s sample) Reload(context.Context, bool) (*status.Answer, error) { return s.refusable(), nil }
func (s sample) Apply(context.Context, Application) (*status.Answer, error) {
	return s.refusable(), nil
}
func (s sample) Rollback(context.Context, Return) (*status.Answer, error) { return s.refusable(), nil }
func (s sample) Wishes(context.Context) (*status.Wishes, error) {
	return filled[status.Wishes](s.empty), nil
}
func (s sample) Order(context.Context, Order) (*status.Wishes, error) {
	return filled[status.Wishes](s.empty), nil
}
func (s sample) Trial(context.Context) (*status.Trials, error) {
	return filled[status.Trials](s.empty), nil
}
func (s sample) Confirm(context.Context) (*status.Revision, error) {
	return filled[status.Revision](s.empty), nil
}
func (s sample) History(context.Context) (*status.History, error) {
	return filled[status.History](s.empty), nil
}
func (s sample) Revision(context.Context, int) (*File, error) { return filled[File](s.empty), nil }
func (s sample) Neighbors(context.Context, string) ([]Neighbor, error) {
	if s.empty { // a switchover to it is refused
		return []Neighbor{{Name: "second", Status: &status.Snapshot{Table: status.Table{Error: "no module"}}}}, nil
	}
	return []Neighbor{{Name: "second", Err: errors.New("no route to host")}}, nil
}
func (s sample) Switchover(context.Context, string) error { return nil }
func (s sample) Record(audit.Entry)                       {}
func (s sample) Table(context.Context, []ipvs.ServiceKey) (*status.Kernel, error) {
	return filled[status.Kernel](s.empty), nil
}

func (s sample) Checks(context.Context, status.CheckQuery, bool) (*status.Checks, error) {
	return filled[status.Checks](s.empty), nil
}

func (s sample) Probe(context.Context, status.CheckQuery) (*status.Probes, error) {
	return filled[status.Probes](s.empty), nil
}

func (s sample) Exchange(context.Context, admin.Message) (*admin.Message, error) {
	return filled[admin.Message](s.empty), nil
}

func (s sample) Entries(context.Context, time.Time, int) (*audit.Report, error) {
	return filled[audit.Report](s.empty), nil
}

func (s sample) Connections(context.Context, connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		c := *filled[connection.Connection](s.empty)
		if yield(c, nil) {
			yield(c, nil)
		}
	}
}

func (s sample) Events(context.Context, event.Query) iter.Seq2[event.Item, error] {
	return func(yield func(event.Item, error) bool) {
		_ = yield(event.Item{Begin: &event.Begin{}}, nil) && yield(event.Item{Event: filled[event.Event](s.empty)}, nil) && yield(event.Item{End: true}, nil)
	}
}

// routers are a sample's.
type sampleRouters struct{ sample }

func (s sampleRouters) Status(context.Context) (status.VRRP, error) {
	return *filled[status.VRRP](s.empty), nil
}
func (s sample) Upgrade(context.Context) (*status.Upgrade, error) {
	return filled[status.Upgrade](s.empty), nil
}
