package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ipvsd/ipvsd/"

// A row is a package of the table.
type row struct {
	name   string // its directory
	kind   string
	ours   []string // directories of the packages it may import
	beside []string // what else it may import although it is pure
}

// table reads the package doc of this package.
func table(t *testing.T) []row {
	t.Helper()
	var rows []row
	for _, s := range sources(t) {
		if s.dir() != "pkg/internal/arch" || s.syntax.Doc == nil {
			continue
		}
		for line := range strings.Lines(s.syntax.Doc.Text()) {
			cell := strings.Split(line, "|")
			if !strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "\tpackage ") {
				continue
			}
			if len(cell) != 4 {
				t.Fatalf("%s: write the row %q as package | kind | may import | one line", s.path, strings.TrimSpace(line))
			}
			ours, beside, _ := strings.Cut(cell[2], "+")
			r := row{name: strings.TrimSpace(cell[0]), kind: strings.TrimSpace(cell[1]), beside: strings.Fields(beside)}
			for word := range strings.FieldsSeq(ours) {
				r.ours = append(r.ours, "pkg/"+word)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

func find(rows []row, name string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

// forbidden says why a package may not import one of ours; it is empty if it may.
func forbidden(rows []row, from row, imported string) string {
	to, ok := find(rows, imported)
	switch {
	case !ok:
		return "which has no row in the table"
	case to.kind == "main":
		return "which is a command"
	case to.kind == "test" && from.kind != "test":
		return "which is for tests only: move what is needed into a package that isn't, or the caller into a _test.go file"
	case from.kind == "pure" && to.kind != "pure":
		return "which does IO, while " + from.name + " is pure: let the caller pass in what it needs as a value"
	case slices.Contains(from.ours, imported), slices.Contains(from.ours, "pkg/all") && to.kind != "test":
		return ""
	}
	return "which its row does not allow: turn the dependency around, or change the row and say why in the commit"
}

// TestImports holds the imports of every package against the table.
func TestImports(t *testing.T) {
	rows := table(t)
	seen := map[string]bool{}
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		seen[name] = true
		r, ok := find(rows, name)
		if !ok {
			t.Errorf("%s has no row in the table: add it to the package doc of pkg/internal/arch", name)
			continue
		}
		for _, path := range p.Imports {
			imported, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			if why := forbidden(rows, r, imported); why != "" {
				t.Errorf("%s imports %s, %s", name, imported, why)
			}
		}
	}
	for _, r := range rows {
		if !seen[r.name] {
			t.Errorf("there is no package %s: take its row out of the package doc of pkg/internal/arch", r.name)
		}
		if !slices.Contains([]string{"main", "pure", "io", "test"}, r.kind) {
			t.Errorf("%s: the kind %q in its row is not main, pure, io or test", r.name, r.kind)
		}
	}
}

// TestForbidden shows that the rules of the table bite.
func TestForbidden(t *testing.T) {
	rows := []row{
		{name: "pkg/noun", kind: "pure", ours: []string{"pkg/noun/child"}},
		{name: "pkg/noun/child", kind: "io", ours: []string{"pkg/noun"}},
		{name: "pkg/root", kind: "io", ours: []string{"pkg/all"}},
		{name: "pkg/fake", kind: "test", ours: []string{"pkg/noun"}},
		{name: "cmd/x", kind: "main", ours: []string{"pkg/root"}},
	}
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"pkg/noun/child", "pkg/noun", true},
		{"pkg/root", "pkg/noun/child", true},
		{"pkg/fake", "pkg/noun", true},
		{"cmd/x", "pkg/root", true},
		{"pkg/noun", "pkg/noun/child", false}, // in its row, but a pure package cannot import one that isn't
		{"pkg/noun/child", "pkg/root", false},
		{"pkg/root", "pkg/fake", false},
		{"pkg/root", "cmd/x", false},
		{"pkg/root", "pkg/unknown", false},
		{"cmd/x", "pkg/noun", false},
	} {
		from, _ := find(rows, c.from)
		if why := forbidden(rows, from, c.to); (why == "") != c.ok {
			t.Errorf("%s importing %s: %q, want allowed %t", c.from, c.to, why, c.ok)
		}
	}
}

// A listed package is what the go command says about one.
type listed struct {
	ImportPath string
	Imports    []string
}

// list returns all packages. The tag makes those known that have kernel tests only; of the files that are no tests it
// changes nothing, as TestRules sees to.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "-tags", "kernel", "./...")
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%v: %v\n%s", cmd, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
		packages = append(packages, p)
	}
}
