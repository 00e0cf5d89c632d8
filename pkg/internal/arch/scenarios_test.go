package arch

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestScenariosAreTested wants a row for each of the 27 scenarios in contrib/scenarios.md, and the tests that it names.
func TestScenariosAreTested(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "contrib", "scenarios.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.isTest() && f.Recv == nil {
				tests[f.Name.Name] = true
			}
		}
	}
	row, test := regexp.MustCompile(`^\| (\d+) \|`), regexp.MustCompile("`(Test[^`]+)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		names := test.FindAllStringSubmatch(line, -1)
		if m := row.FindStringSubmatch(line); m != nil {
			rows++
			if m[1] != strconv.Itoa(rows) {
				t.Errorf("row %s where %d belongs", m[1], rows)
			}
			if len(names) == 0 {
				t.Errorf("scenario %s has no test", m[1])
			}
		}
		for _, name := range names {
			if !tests[name[1]] {
				t.Errorf("there is no %s: %s", name[1], strings.TrimSpace(line))
			}
		}
	}
	if rows != 27 {
		t.Errorf("%d scenarios; there are 27", rows)
	}
}
