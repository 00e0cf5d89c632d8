package metrics

import (
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// labels are those of a sample, sorted by name where an encoder wants that: nothing here does.
type labels []*dto.LabelPair

// label returns a label. Names of the user's may hold any bytes, which Prometheus would not take.
func label(name, value string) *dto.LabelPair {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return &dto.LabelPair{Name: &name, Value: &value}
}

// with returns the labels and more of them.
func (l labels) with(more ...*dto.LabelPair) labels {
	return append(slices.Clip(l), more...)
}

// sink is a family in the making. Its samples are used again for the next one: a large table has ten thousand of them in each.
type sink struct {
	family  dto.MetricFamily
	samples []*sample // that were ever needed
}

// sample has what a sample needs, of whatever kind.
type sample struct {
	metric  dto.Metric
	gauge   dto.Gauge
	counter dto.Counter
	value   float64
}

func (s *sink) begin(f *family) {
	s.family.Name, s.family.Help, s.family.Type, s.family.Metric = &f.name, &f.help, &f.kind, s.family.Metric[:0]
}

func (s *sink) next(l labels) *sample {
	n := len(s.family.Metric)
	if n == len(s.samples) {
		s.samples = append(s.samples, new(sample))
	}
	p := s.samples[n]
	p.metric.Label, p.metric.Gauge, p.metric.Counter, p.metric.Histogram = l, nil, nil, nil
	s.family.Metric = append(s.family.Metric, &p.metric)
	return p
}

// add adds a sample of a counter or a gauge.
func (s *sink) add(l labels, value float64) {
	p := s.next(l)
	p.value = value
	if *s.family.Type == dto.MetricType_COUNTER {
		p.counter.Value, p.metric.Counter = &p.value, &p.counter
	} else {
		p.gauge.Value, p.metric.Gauge = &p.value, &p.gauge
	}
}

// durations adds a histogram, in seconds.
func (s *sink) durations(l labels, h *status.Histogram) {
	sum, count := h.Sum.Seconds(), h.Count
	d := &dto.Histogram{SampleSum: &sum, SampleCount: &count}
	for i := range h.Buckets {
		limit := h.Buckets[i].Max.Seconds()
		d.Bucket = append(d.Bucket, &dto.Bucket{UpperBound: &limit, CumulativeCount: &h.Buckets[i].Count})
	}
	s.next(l).metric.Histogram = d
}

// moment adds a time, in seconds since 1970, unless there is none.
func (s *sink) moment(l labels, t time.Time) {
	if !t.IsZero() {
		s.add(l, float64(t.UnixMilli())/1000)
	}
}

// states adds a sample for each state that there is: 1 for the one that is.
func (s *sink) states(l labels, is string, all ...*dto.LabelPair) {
	for _, state := range all {
		s.add(l.with(state), truth(*state.Value == is))
	}
}
