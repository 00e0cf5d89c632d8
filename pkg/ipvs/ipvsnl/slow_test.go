package ipvsnl

import (
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// slowKernel takes its time for each send. Like a real socket it takes none after the deadline.
type slowKernel struct {
	*wireKernel
	takes    time.Duration
	deadline time.Time
}

func (k *slowKernel) setDeadline(t time.Time) error {
	k.deadline = t
	return nil
}

func (k *slowKernel) send(b []byte) error {
	if !time.Now().Before(k.deadline) {
		return os.ErrDeadlineExceeded
	}
	<-time.After(k.takes)
	return k.wireKernel.send(b)
}

// A kernel that goes on answering may take as long as it needs for the whole: adding servers to one that was just emptied
// of a hundred thousand takes it a minute.
func TestSlowKernelIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, wire := newWireClient()
		c := newClient(&slowKernel{wireKernel: wire, takes: patience / 2}, sendBuffer, receiveBuffer)
		c.batch = 1
		start := time.Now()
		refused, err := c.Apply(t.Context(), services(5))
		if err != nil || len(refused) > 0 {
			t.Fatalf("apply: %v, refused %v", err, refused)
		}
		table, err := c.Snapshot(t.Context())
		if err != nil || len(table) != 5 {
			t.Errorf("%d services, %v", len(table), err)
		}
		if took := time.Since(start); took < 2*patience {
			t.Errorf("it took no more than %v", took)
		}
	})
}
