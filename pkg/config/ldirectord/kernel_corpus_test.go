//go:build kernel

package ldirectord_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/corpus"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

var (
	address = regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}\b`)
	mysql   = regexp.MustCompile(`(?m)^\s+service=mysql`)
)

// ldirectord and ipvsd make the same table of files of the field, with all web servers up and with all servers down. What
// ldirectord refuses, ipvsd takes where it is plain what is meant.
func TestKernelCorpusAsLdirectord(t *testing.T) {
	t.Parallel()
	for _, file := range corpus.Files(t, "ldirectord/*.cf") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".cf"), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source := string(b)
			w := newTwins(t)
			for _, h := range []*lab.Host{w.theirs, w.ours} {
				known := map[string]bool{"127.0.0.1": true}
				for line := range strings.Lines(source) {
					if line = strings.TrimSpace(line); !strings.HasPrefix(line, "real") {
						continue
					}
					if a := address.FindString(line); !known[a] {
						known[a] = true
						h.AddAddress("lo", a+"/32")
					}
				}
			}
			t.Cleanup(func() { w.down("0.0.0.0") })
			w.up("0.0.0.0")
			if mysql.MatchString(source) {
				// It has 160 servers, and ldirectord needs DBD::mysql, which the lab doesn't have: it ends at the first such check.
				if _, err := w.ours.Output(program, "-t", "-f", file); err != nil {
					t.Error(err)
				}
				return
			}
			w.run(file)
			if w.refuses(file) {
				return
			}
			w.settled(t, 2)
			table := w.same(t, "with all servers")
			w.down("0.0.0.0")
			w.settled(t, 2)
			if w.same(t, "without servers") == table {
				t.Errorf("it is the same without servers:\n%s", table)
			}
		})
	}
}

// refuses says whether ldirectord refuses a file that both have been started on. Then ipvsd has to take it, but for that of another
// program.
func (w *twins) refuses(file string) bool {
	w.t.Helper()
	refused := false
	lab.WaitFor(w.t, patience, "ldirectord to check its servers, or to end", func() error {
		select {
		case <-w.ldirectord.Done():
			refused = true
			return nil
		default:
		}
		if !strings.Contains(w.ldirectord.Log(), "DEBUG2: Checking ") {
			return errors.New("it does not yet")
		}
		return nil
	})
	if !refused {
		return false
	}
	var exit *exec.ExitError
	if err := w.ldirectord.Err(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		w.t.Fatalf("ldirectord: %v\n%s", err, w.ldirectord.Log())
	}
	if strings.Contains(file, "l7directord") {
		if w.ipvsd.Err() == nil {
			w.t.Error("ipvsd takes the file of another program")
		}
		return true
	}
	lab.WaitFor(w.t, patience, "ipvsd to have services", func() error {
		if saved(w.ours) == "" {
			return errors.New("it has none")
		}
		return nil
	})
	return true
}
