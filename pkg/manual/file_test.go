package manual_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/manual"
)

func TestFile(t *testing.T) {
	reference, err := os.ReadFile("../../examples/reference.toml")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "../../contrib/man/ipvsd.toml.5", manual.File(string(reference)))
}

// mandoc has nothing to say about any page, but that it doesn't find the others: they are not installed here.
func TestLint(t *testing.T) {
	pages, err := filepath.Glob("../../contrib/man/*.[1-8]")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	var out, errs strings.Builder // apart: it buffers one of them, and cuts lines
	cmd := exec.Command("mandoc", append([]string{"-Tlint", "-Wstyle"}, pages...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); out.Len()+errs.Len() == 0 && err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String() + errs.String()) {
		if !strings.Contains(line, "referenced manual not found") && !strings.Contains(line, "outdated mandoc.db") {
			t.Error(line)
		}
	}
}
