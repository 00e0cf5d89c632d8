//go:build kernel

package likeness

import (
	"os"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
)

func TestMain(m *testing.M) { os.Exit(ipvsd.Main(m)) }
