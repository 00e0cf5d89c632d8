//go:build kernel

package reconcile_test

import (
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

func TestKernelLaws(t *testing.T) {
	host := lab.NewHost(t, "director")
	var client *ipvsnl.Client
	if err := host.Do(func() (err error) {
		client, err = ipvsnl.Open()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	laws(t, 30, func(testing.TB) reconcile.Kernel { return client })
}
