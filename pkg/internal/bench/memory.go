package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// memory returns what all processes on a host use, pages that several of them share counted once (Pss).
func memory(b *bench, host *lab.Host) (sum int64) {
	for pid := range strings.FieldsSeq(host.Run("ip", "netns", "pids", host.Namespace)) {
		text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if errors.Is(err, fs.ErrNotExist) {
			continue // that was ip itself
		}
		b.Must(err)
		for line := range strings.Lines(string(text)) {
			var kilobytes int64
			if _, err := fmt.Sscanf(line, "Pss: %d kB", &kilobytes); err == nil {
				sum += kilobytes << 10
			}
		}
	}
	if sum == 0 {
		b.Fatalf("no process of %s tells what it uses", host.Name)
	}
	return sum
}
