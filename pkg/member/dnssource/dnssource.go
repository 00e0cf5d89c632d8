// Package dnssource reads members from DNS: the addresses of a name, or the servers that SRV records name. It asks again when the first
// record has lived as long as it may, which is what the standard library's resolver does not tell. Names of /etc/hosts come before
// those of name servers, and none is completed by a search list.
//
// Run is the goroutine of one source. That a name does not exist, or has no address, is an answer; that no server answers is none.
package dnssource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sync/errgroup"

	"github.com/ipvsd/ipvsd/pkg/member"
)

const (
	// least and most are how long an answer is believed, whatever its records say: 0 would ask without end, and a day would be
	// a mistake that nobody can mend.
	least, most = time.Second, time.Hour
	// negative is how long it is believed at most that there is nothing: the servers that were there before serve meanwhile.
	negative = 30 * time.Second
	// fileLife is after what /etc/hosts is read again.
	fileLife = 5 * time.Second
	// patience is how long all questions of one answer may take together.
	patience = 15 * time.Second
	// firstRetry and lastRetry are when it is asked again after nobody answered: twice as late each time.
	firstRetry, lastRetry = time.Second, 30 * time.Second
	// atOnce is how many targets of SRV records are asked for at once, and maxTargets how many are taken.
	atOnce, maxTargets = 8, 1000
)

// Run resolves a source until the context is done, and posts what comes of it.
func Run(ctx context.Context, source member.Source, post func(member.Report)) {
	r := resolver{source: source, exchange: exchange, readFile: os.ReadFile}
	r.run(ctx, post)
}

// resolver resolves one source.
type resolver struct {
	source   member.Source
	exchange func(ctx context.Context, server netip.AddrPort, question []byte, fits func([]byte) bool) ([]byte, error)
	readFile func(string) ([]byte, error)
}

func (r *resolver) run(ctx context.Context, post func(member.Report)) {
	retry := firstRetry
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		limited, cancel := context.WithTimeoutCause(ctx, patience, errors.New("no answer in time"))
		list, life, err := r.resolve(limited)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			post(member.Report{Source: r.source, Err: err.Error()})
			timer.Reset(retry)
			retry = min(2*retry, lastRetry)
			continue
		}
		post(member.Report{Source: r.source, Members: list})
		timer.Reset(life)
		retry = firstRetry
	}
}

// resolve returns the members, and how long that is believed.
func (r *resolver) resolve(ctx context.Context) (list []member.Member, life time.Duration, err error) {
	if r.source.Kind == member.SRV {
		list, life, err = r.services(ctx)
	} else {
		var addrs []netip.Addr
		addrs, life, err = r.addresses(ctx, r.source.Name)
		for _, a := range addrs {
			m := member.Member{Addr: a}
			m.Describe(r.source.Name)
			list = append(list, m)
		}
	}
	if list = member.Arrange(list); err == nil && len(list) > member.MaxMembers {
		return nil, 0, fmt.Errorf("there are more than %d servers", member.MaxMembers)
	}
	if len(list) == 0 {
		life = min(life, negative)
	}
	return list, max(life, least), err
}

// services returns the servers of SRV records with the best priority (RFC 2782). Weights of 0 among others are the least there is.
func (r *resolver) services(ctx context.Context) (list []member.Member, life time.Duration, err error) {
	a, err := r.ask(ctx, r.source.Name, dnsmessage.TypeSRV)
	if err != nil {
		return nil, 0, err
	}
	targets := a.best()
	if len(targets) > maxTargets {
		return nil, 0, errors.New("there are more than 1000 targets")
	}
	type found struct {
		addrs []netip.Addr
		life  time.Duration
	}
	of := make([]found, len(targets))
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(atOnce)
	for i, t := range targets {
		tasks.Go(func() (err error) {
			of[i].addrs, of[i].life, err = r.addresses(ctx, t.Target.String())
			return err
		})
	}
	if err := tasks.Wait(); err != nil {
		return nil, 0, err
	}
	weighed := slices.ContainsFunc(targets, func(t dnsmessage.SRVResource) bool { return t.Weight > 0 })
	life = a.life
	for i, t := range targets {
		life = min(life, of[i].life)
		for _, addr := range of[i].addrs {
			m := member.Member{Addr: addr, Port: t.Port}
			m.Describe(plain(t.Target.String()))
			if weighed {
				m.Weigh(max(int64(t.Weight), 1))
			}
			list = append(list, m)
		}
	}
	return list, life, nil
}

// addresses returns the addresses of a name in the families that the source is for.
func (r *resolver) addresses(ctx context.Context, name string) (list []netip.Addr, life time.Duration, err error) {
	if text, err := r.readFile("/etc/hosts"); err == nil {
		if list = r.wanted(hosts(text, name)); len(list) > 0 {
			return list, fileLife, nil
		}
	}
	life = most
	for _, t := range []struct {
		dnsmessage.Type
		asked bool
	}{{dnsmessage.TypeA, r.source.IPv4}, {dnsmessage.TypeAAAA, r.source.IPv6}} {
		if !t.asked {
			continue
		}
		a, err := r.ask(ctx, name, t.Type)
		if err != nil {
			return nil, 0, err // half of the servers would look as if the others had gone
		}
		list = append(list, a.addrs...)
		life = min(life, a.life)
	}
	return r.wanted(list), life, nil
}

// wanted returns the addresses that may be a server's, in the families that the source is for.
func (r *resolver) wanted(list []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(list, func(a netip.Addr) bool {
		return !member.Usable(a) || a.Is4() && !r.source.IPv4 || a.Is6() && !r.source.IPv6
	})
}
