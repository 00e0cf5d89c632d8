//go:build kernel

package daemon_test

import (
	"os"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
)

// Other kernel tests of the daemon are in pkg/internal: table, traffic, likeness, pair and compat.
func TestMain(m *testing.M) { os.Exit(ipvsd.Main(m)) }
