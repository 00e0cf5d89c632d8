package daemon

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// BenchmarkKeepVerdicts is what it costs to have the verdicts of so many checks be written, without the disk. Processor time tells more than
// the time that passes where others work, too.
func BenchmarkKeepVerdicts(b *testing.B) {
	for _, checks := range []int{1000, 100_000} {
		o, _ := ownerOf(b, checks)
		b.Run(fmt.Sprint(checks), func(b *testing.B) {
			b.ReportAllocs()
			start := processorTime(b)
			for b.Loop() {
				o.keepVerdicts(time.Now())
			}
			b.ReportMetric(float64((processorTime(b)-start).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
