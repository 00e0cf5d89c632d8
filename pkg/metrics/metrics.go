package metrics

import (
	"cmp"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Facts are what a scrape tells of: a snapshot, and what belongs to no snapshot.
type Facts struct {
	*status.Snapshot
	Limits Limits
	Read   bool // the kernel's table could be read for the occasion; without that there are no counters
	Rounds Rounds
	Alerts []Alerts      // by destination
	Lost   uint64        // pieces of news that nobody could be told of
	Owed   time.Duration // how long the disk has lacked the newest of what it is to hold
	// Wanted are the sync daemons that are to run now.
	Wanted []ipvs.SyncRole
}

// Limits bound how many series there are.
type Limits struct {
	PerServer bool // servers have series of their own
	Servers   int  // if there are no more than so many
}

// Rounds are what the reconciler did since the start.
type Rounds struct {
	Count   uint64           // tables read
	Steps   uint64           // commands that took effect, settings included
	Refused uint64           // commands that the kernel refused, each attempt
	Drift   uint64           // steps that undid what others did
	Took    status.Histogram // a round
}

// Alerts are what became of the alerts to one destination since the start.
type Alerts struct {
	To        string // "webhook PAGER", "mail server localhost:25"
	Queued    int
	Delivered uint64
	Retried   uint64 // attempts that failed and were not the last
	Failed    uint64 // given up
	Dropped   uint64 // for want of room in the queue
}

// family is a metric with a name; its samples differ in their labels.
type family struct {
	name, help string
	kind       dto.MetricType
	collect    func(*view, *sink)
}

// families are all there are, by name.
var families = slices.SortedFunc(slices.Values(slices.Concat(serviceFamilies, serverFamilies, checkFamilies, routerFamilies, daemonFamilies, deskFamilies)),
	func(a, b family) int { return cmp.Compare(a.name, b.name) })

// Names returns the names of all series, those of histograms as they are stored: with _bucket, _sum, _count.
func Names() (names []string) {
	for _, f := range families {
		if f.kind == dto.MetricType_HISTOGRAM {
			names = append(names, f.name+"_bucket", f.name+"_sum", f.name+"_count")
		} else {
			names = append(names, f.name)
		}
	}
	return names
}

// Collect has each family that has samples encoded, sorted by name; the samples are in the order of the configuration. A
// family is the callee's until it returns: the next one is made of the same parts. It returns the first error.
func Collect(f *Facts, encode func(*dto.MetricFamily) error) error {
	v, s := viewOf(f), new(sink)
	for i := range families {
		s.begin(&families[i])
		families[i].collect(v, s)
		if len(s.family.Metric) == 0 {
			continue
		}
		if err := encode(&s.family); err != nil {
			return err
		}
	}
	return nil
}

// view is Facts with the labels of what has many samples.
type view struct {
	*Facts
	services []labels
	servers  [][]labels // of each service; nil: they have no series
	omitted  int        // servers without series
	routers  []labels
}

func viewOf(f *Facts) *view {
	v := &view{Facts: f, services: make([]labels, len(f.Services))}
	for i := range f.Services {
		v.omitted += len(f.Services[i].Servers)
		v.services[i] = labels{label("service", f.Services[i].Key.String())}
	}
	if f.Limits.PerServer && v.omitted <= f.Limits.Servers {
		v.omitted, v.servers = 0, make([][]labels, len(f.Services))
		for i := range f.Services {
			for j := range f.Services[i].Servers {
				v.servers[i] = append(v.servers[i], v.services[i].with(label("server", f.Services[i].Servers[j].Addr.String())))
			}
		}
	}
	if f.VRRP != nil {
		for i := range f.VRRP.Instances {
			v.routers = append(v.routers, labels{label("vrrp_instance", f.VRRP.Instances[i].Name)})
		}
	}
	return v
}

// Constructors of families.

func gauge(name, help string, collect func(*view, *sink)) family {
	return family{name, help, dto.MetricType_GAUGE, collect}
}

func counter(name, help string, collect func(*view, *sink)) family {
	return family{name, help, dto.MetricType_COUNTER, collect}
}

func histogram(name, help string, collect func(*view, *sink)) family {
	return family{name, help, dto.MetricType_HISTOGRAM, collect}
}

// one is a family's only sample, without labels.
func one(value func(*view) float64) func(*view, *sink) {
	return func(v *view, s *sink) { s.add(nil, value(v)) }
}

// truth is 1 for true.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
