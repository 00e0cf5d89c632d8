// Package golden holds a test's output against a file that is kept beside the test. After a change that was meant, run the
// tests with -update and read the difference before it is committed.
package golden

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew instead of comparing")

// Check fails the test if got is not what the file holds.
func Check(tb testing.TB, file string, got []byte) {
	tb.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			tb.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tb.Fatalf("%v (write it with -update)", err)
	}
	if !bytes.Equal(got, want) {
		tb.Errorf("differs from %s\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}
