package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/member/consulsource"
	"github.com/ipvsd/ipvsd/pkg/member/dnssource"
	"github.com/ipvsd/ipvsd/pkg/member/etcdsource"
	"github.com/ipvsd/ipvsd/pkg/member/filesource"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// members is who joins the virtual servers of the file. It is the owner's, but for the mailbox.
type members struct {
	base   *config.Config   // as the file has it
	pools  map[string]*pool // by poolName
	states map[member.Source]*source
	joins  map[*config.VirtualServer]*join // of base
	mail   *mailbox
	read   func(ctx context.Context, source member.Source, post func(member.Report))
	reads  sync.WaitGroup // readers
}

// pool is a pool, and since when no table of members has it.
type pool struct {
	member.Pool
	Idle time.Time `json:"idle,omitzero"`
}

// idlePools is how long pools are kept that the configuration has no table for: who takes back a change wants them back, too.
const idlePools = 24 * time.Hour

// source is a source and its reader.
type source struct {
	member.State
	end context.CancelFunc // nil: it does not run yet
}

// join is a virtual server of the file with its members.
type join struct {
	pools  []member.Pool
	server *config.VirtualServer
	unfit  []config.Unfit
}

func newMembers() members {
	return members{
		base: &config.Config{}, pools: make(map[string]*pool), states: make(map[member.Source]*source),
		joins: make(map[*config.VirtualServer]*join), mail: newMailbox(), read: readSource,
	}
}

// readSource is the goroutine that reads a source.
func readSource(ctx context.Context, s member.Source, post func(member.Report)) {
	switch s.Kind {
	case member.DNS, member.SRV:
		dnssource.Run(ctx, s, post)
	case member.Directory:
		filesource.Run(ctx, s, post)
	case member.Etcd:
		etcdsource.Run(ctx, s, post)
	case member.Consul:
		consulsource.Run(ctx, s, post)
	}
}

// mailbox is where readers leave the newest of each source. They never wait there for the owner.
type mailbox struct {
	mu     sync.Mutex
	newest map[member.Source]member.Report // guarded by mu
	dirty  chan struct{}
}

func newMailbox() *mailbox {
	return &mailbox{newest: make(map[member.Source]member.Report), dirty: make(chan struct{}, 1)}
}

func (b *mailbox) post(r member.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest[r.Source] = r
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

// take returns what came since it was called before.
func (b *mailbox) take() map[member.Source]member.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	newest := b.newest
	b.newest = make(map[member.Source]member.Report)
	return newest
}

// poolName tells the pools of all tables of members apart.
func poolName(vs *config.VirtualServer, m *config.Members) string { return vs.Name + "\n" + m.Key() }

// follow takes what the file has now. Pools without a table are kept for a while, sources that nobody names are not.
func (m *members) follow(cfg *config.Config, now time.Time) {
	m.base = cfg
	named, used := make(map[member.Source]bool), make(map[string]bool)
	for vs := range m.open() {
		for i := range vs.Members {
			used[poolName(vs, &vs.Members[i])] = true
			for _, s := range vs.Members[i].Sources {
				if named[s] = true; m.states[s] == nil {
					m.states[s] = &source{}
				}
			}
		}
	}
	for s, of := range m.states {
		if !named[s] {
			if of.end != nil {
				of.end()
			}
			delete(m.states, s)
		}
	}
	for name, p := range m.pools {
		switch {
		case used[name]:
			p.Idle = time.Time{}
		case p.Idle.IsZero():
			p.Idle = now
		case now.Sub(p.Idle) > idlePools:
			delete(m.pools, name)
		}
	}
	m.step(now)
}

// open are the virtual servers of the file that have tables of members.
func (m *members) open() func(func(*config.VirtualServer) bool) {
	return func(yield func(*config.VirtualServer) bool) {
		for _, vs := range m.base.VirtualServers {
			if len(vs.Members) > 0 && !yield(vs) {
				return
			}
		}
	}
}

// run has all sources be read.
func (m *members) run(ctx context.Context) {
	for s, of := range m.states {
		if of.end != nil {
			continue
		}
		reading, end := context.WithCancel(ctx)
		of.end = end
		m.reads.Go(func() {
			m.read(reading, s, func(r member.Report) {
				if reading.Err() == nil {
					m.mail.post(r)
				}
			})
		})
	}
}

// change is who came and who went of a pool.
type change struct {
	service, from string
	came, went    []string
	held          int
}

// words says who came and who went.
func (c *change) words() string {
	var parts []string
	if len(c.came) > 0 {
		parts = append(parts, "came: "+few(c.came))
	}
	if len(c.went) > 0 {
		parts = append(parts, "went: "+few(c.went))
	}
	return strings.Join(parts, "; ")
}

// step makes the next pools of what sources say, and returns those that are others.
func (m *members) step(now time.Time) (changes []change) {
	for vs := range m.open() {
		for i := range vs.Members {
			rule := &vs.Members[i].Rule
			name := poolName(vs, &vs.Members[i])
			was := m.pools[name]
			if was == nil {
				was = &pool{}
			}
			next, changed := was.Step(now, rule, func(s member.Source) member.State { return m.states[s].State })
			if m.pools[name] = (&pool{Pool: next}); !changed {
				continue
			}
			c := change{service: vs.Name, from: rule.Sources[0].String(), held: next.Held()}
			c.came, c.went = beyond(was.Pool, next), beyond(next, was.Pool)
			changes = append(changes, c)
		}
	}
	return changes
}

// beyond returns the members that a pool has beyond another one.
func beyond(other, p member.Pool) (list []string) {
	has := make(map[string]bool, len(other.Members))
	for i := range other.Members {
		has[at(&other.Members[i])] = true
	}
	for i := range p.Members {
		if a := at(&p.Members[i]); !has[a] {
			list = append(list, a)
		}
	}
	return list
}

// at is where a member is.
func at(p *member.Pooled) string {
	if p.Port == 0 {
		return p.Addr.String()
	}
	return netip.AddrPortFrom(p.Addr, p.Port).String()
}

// join returns a configuration with the members of its virtual servers. What is the same as before is the same object.
func (m *members) join(cfg *config.Config) *config.Config {
	joined := *cfg
	joined.VirtualServers = nil
	joins := make(map[*config.VirtualServer]*join)
	for i, vs := range cfg.VirtualServers {
		if len(vs.Members) == 0 {
			continue
		}
		if joined.VirtualServers == nil {
			joined.VirtualServers = slices.Clone(cfg.VirtualServers)
		}
		pools := make([]member.Pool, len(vs.Members))
		for i := range vs.Members {
			if p := m.pools[poolName(vs, &vs.Members[i])]; p != nil {
				pools[i] = p.Pool
			}
		}
		j := m.joins[vs]
		if j == nil || !slices.EqualFunc(j.pools, pools, samePool) {
			j = &join{pools: pools}
			j.server, j.unfit = vs.Join(pools)
		}
		joins[vs], joined.VirtualServers[i] = j, j.server
	}
	if cfg == m.base {
		m.joins = joins
	}
	if joined.VirtualServers == nil {
		return cfg
	}
	return &joined
}

// samePool says whether two pools come to the same servers.
func samePool(a, b member.Pool) bool {
	return slices.EqualFunc(a.Members, b.Members, func(a, b member.Pooled) bool { return a.From == b.From && a.Equal(&b.Member) })
}

// takeMembers takes what sources say.
func (o *owner) takeMembers(ctx context.Context, now time.Time) {
	news := false
	for s, r := range o.members.mail.take() {
		of := o.members.states[s]
		if of == nil {
			continue // nobody has it any more
		}
		was := of.State
		var changed bool
		of.State, changed = was.Take(r, now)
		news = news || changed
		o.tellSource(s, was, of.State)
	}
	if !news {
		return
	}
	changes := o.members.step(now)
	if len(changes) == 0 {
		return
	}
	for _, c := range changes {
		log := o.log.With("service", c.service, "from", c.from, "came", few(c.came), "went", few(c.went))
		e := event.Event{Kind: event.Members, Service: c.service, Object: c.from, To: "changed", Reason: c.words()}
		if c.held > 0 {
			e.To, e.Reason = "held", fmt.Sprintf("too few would be left without %d of them", c.held)
		}
		o.events.Add(e)
		if c.held > 0 {
			log.Warn("members are held: too few would be left", "held", c.held)
		} else {
			log.Info("members changed")
		}
	}
	o.recordMembers()
	o.establish(o.members.join(o.members.base), now)
	o.watchFiles(ctx)
	o.soon()
}

// tellSource logs that a source fails, or answers again.
func (o *owner) tellSource(s member.Source, was, is member.State) {
	log := o.log.With("source", s.String())
	switch {
	case is.Err != "" && was.Err == "":
		log.Warn("a source of members fails; who was there stays", "err", is.Err)
		o.events.Add(event.Event{Kind: event.Source, Object: s.String(), From: "answering", To: "failing", Reason: is.Err})
	case is.Err == "" && was.Err != "":
		log.Info("a source of members answers again")
		o.events.Add(event.Event{Kind: event.Source, Object: s.String(), From: "failing", To: "answering"})
	}
	if is.Warning != was.Warning && is.Warning != "" && is.Err == "" {
		log.Warn("a part of a source of members can't be read", "err", is.Warning)
	}
}

// few names some of many.
func few(list []string) string {
	const most = 5
	if len(list) > most {
		return strings.Join(list[:most], " ") + " and more"
	}
	return strings.Join(list, " ")
}

// recordMembers has the pools be written to the disk.
func (o *owner) recordMembers() {
	o.keeper.put(o.files.members, o.members.pools, "after a restart, the sources of members must answer first")
}

// recallMembers returns the pools as they were before the start. What can't be read is not worth waiting for: sources say it again.
func (f files) recallMembers(log *slog.Logger) map[string]*pool {
	pools, err := read[map[string]*pool](f.members)
	if err != nil {
		log.Warn("who the members of virtual servers were can't be read; their sources must answer first", "file", f.members, "err", err)
		return make(map[string]*pool)
	}
	return usable(pools)
}

// usable takes away what no member can be like: who wrote it may have been another version.
func usable(pools map[string]*pool) map[string]*pool {
	for name, p := range pools {
		if p == nil {
			delete(pools, name)
			continue
		}
		p.Members = slices.DeleteFunc(p.Members, func(m member.Pooled) bool {
			unfit := func(tag string) bool { return !member.IsTag(tag) }
			return !member.Usable(m.Addr) || m.Weight != nil && *m.Weight < 0 || m.Name != "" && !member.IsName(m.Name) || slices.ContainsFunc(m.Tags, unfit)
		})
	}
	return pools
}

// sourcesNow returns what there is to know of the sources, by name.
func (m *members) sourcesNow() []status.Source {
	found := make(map[member.Source]*status.Source)
	for vs := range m.open() {
		j := m.joins[vs]
		for i := range vs.Members {
			of := make(map[string]*status.Source) // by name, of this table
			for _, s := range vs.Members[i].Sources {
				v := found[s]
				if v == nil {
					is := m.states[s].State
					v = &status.Source{Source: s.String(), Named: len(is.Members), Answered: is.Answered, Error: is.Err, Failed: is.Failed, Warning: is.Warning}
					found[s] = v
				}
				if of[v.Source] = v; !slices.Contains(v.Services, vs.Name) {
					v.Services = append(v.Services, vs.Name)
				}
			}
			for _, p := range m.pools[poolName(vs, &vs.Members[i])].Members {
				if v := of[p.From]; v != nil && !p.Held.IsZero() {
					v.Held = append(v.Held, status.KeptMember{Service: vs.Name, Server: at(&p), Since: p.Held})
				}
			}
			if j == nil {
				continue
			}
			for _, u := range j.unfit {
				if v := of[u.From]; v != nil {
					v.Unfit = append(v.Unfit, status.UnfitMember{Service: vs.Name, Server: at(&u.Pooled), Why: u.Why})
				}
			}
			for _, rs := range j.server.RealServers {
				if v := of[rs.From]; v != nil {
					v.Servers++
				}
			}
		}
	}
	list := make([]status.Source, 0, len(found))
	for _, v := range found {
		list = append(list, *v)
	}
	slices.SortFunc(list, func(a, b status.Source) int { return strings.Compare(a.Source, b.Source) })
	return list
}
