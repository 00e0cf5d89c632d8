package exporter

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/ipvsd/ipvsd/pkg/metrics"
)

// Limits of scrapes. Each is work for the kernel and for the owner of the state, so few are under way at once.
const (
	maxScrapes = 2
	queueing   = 3 * time.Second  // how long another one waits for one of them to end
	patience   = 10 * time.Second // how long it may take to find out what there is to tell: Prometheus' own limit
)

// formats are what scrapers may ask for.
var formats = []expfmt.Format{expfmt.NewFormat(expfmt.TypeTextPlain), expfmt.NewFormat(expfmt.TypeProtoDelim)}

// Source returns what there is to tell. It is called for each scrape, by maxScrapes goroutines at most.
type Source func(context.Context) (*metrics.Facts, error)

// Exporter answers scrapes.
type Exporter struct {
	source   Source
	places   chan struct{}
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	scrapes  *prometheus.CounterVec
}

// New returns an Exporter that has nothing registered with anybody else.
func New(version string, source Source) *Exporter {
	e := &Exporter{
		source: source, places: make(chan struct{}, maxScrapes), registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ipvsd_api_requests_total", Help: "Requests on the control socket that were answered, by their path in the documentation.",
		}, []string{"path", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ipvsd_api_request_duration_seconds", Help: "How long requests on the control socket took, streams included.",
			Buckets: []float64{.001, .01, .1, 1, 10},
		}, []string{"path"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ipvsd_api_requests_in_flight", Help: "Requests on the control socket that are being answered.",
		}),
		scrapes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ipvsd_scrapes_total", Help: "Scrapes, by what became of them: answered, refused because too many were under way, failed.",
		}, []string{"result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ipvsd_build_info", Help: "The version of ipvsd, and of Go that it was built with.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	for _, result := range []string{answered, refused, failed} {
		e.scrapes.WithLabelValues(result)
	}
	e.registry.MustRegister(build, e.requests, e.duration, e.inFlight, e.scrapes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return e
}

// What becomes of scrapes.
const (
	answered = "answered"
	refused  = "refused"
	failed   = "failed"
)

// ServeHTTP answers a scrape in the format that it asks for. The answer is whole or it is an error: what could not be found out is
// known before the first byte.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wait, end := context.WithTimeout(r.Context(), queueing)
	defer end()
	select {
	case e.places <- struct{}{}:
		defer func() { <-e.places }()
	case <-wait.Done():
		e.scrapes.WithLabelValues(refused).Inc()
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d scrapes are under way; no more are at once: have fewer servers ask, or less often", maxScrapes),
			http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	facts, err := e.source(ctx)
	if err != nil {
		e.scrapes.WithLabelValues(failed).Inc()
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	e.scrapes.WithLabelValues(answered).Inc()
	own, err := e.registry.Gather()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.NegotiateAccept(r.Header, formats...)
	w.Header().Set("Content-Type", string(format))
	var out io.Writer = w
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // that level exists
		defer func() { _ = z.Close() }()
		out = z
	}
	// The peer may have gone; there is nobody left to tell.
	_ = write(out, format, own, facts)
}

// write writes the families of the process, and then those of a snapshot.
func write(w io.Writer, format expfmt.Format, own []*dto.MetricFamily, facts *metrics.Facts) error {
	encode := expfmt.NewEncoder(w, format).Encode
	for _, family := range own {
		if err := encode(family); err != nil {
			return err
		}
	}
	return metrics.Collect(facts, func(f *dto.MetricFamily) error { return encode(f) })
}

// Names returns the names of all series but those of the process and of Go's runtime.
func Names() []string {
	return append(metrics.Names(), "ipvsd_build_info", "ipvsd_api_requests_total", "ipvsd_api_requests_in_flight", "ipvsd_scrapes_total",
		"ipvsd_api_request_duration_seconds_bucket", "ipvsd_api_request_duration_seconds_sum", "ipvsd_api_request_duration_seconds_count")
}
