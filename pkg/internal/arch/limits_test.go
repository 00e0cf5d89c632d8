package arch

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// queues says whether a file makes a channel that holds more than one value.
func queues(s source) (found bool) {
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		made, ok := call.Fun.(*ast.Ident)
		if _, channel := call.Args[0].(*ast.ChanType); !ok || made.Name != "make" || !channel {
			return true
		}
		length, literal := call.Args[1].(*ast.BasicLit)
		found = found || !literal || length.Kind != token.INT || length.Value != "0" && length.Value != "1"
		return true
	})
	return found
}

// starts says whether a file starts a goroutine, by itself or by the Go of a group.
func starts(s source) (found bool) {
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = true
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" {
				found = true
			}
		}
		return true
	})
	return found
}

// TestLimitsAreListed wants contrib/limits.md to have a row for each queue and for each package with goroutines, and none besides.
func TestLimitsAreListed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "contrib", "limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:cmd|pkg)/[^`]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		listed[m[1]] = true
	}
	rows, needed := table(t), map[string]bool{}
	for _, s := range sources(t) {
		if r, _ := find(rows, s.dir()); !product(s, r) {
			continue
		}
		if queues(s) {
			needed[s.path] = true
		}
		if starts(s) {
			needed[s.dir()] = true
		}
	}
	for name := range needed {
		if !listed[name] {
			what := "starts goroutines: say for what"
			if strings.HasSuffix(name, ".go") {
				what = "has a queue: say its bound, what happens when it is full, and where one sees that"
			}
			t.Errorf("contrib/limits.md has no row for %s, which %s", name, what)
		}
	}
	for name := range listed {
		if !needed[name] {
			t.Errorf("contrib/limits.md has a row for %s, which has no queue and starts no goroutine", name)
		}
	}
}

// TestLimitsBite shows that a queue and a goroutine are found, and that news and a plain call are not.
func TestLimitsBite(t *testing.T) {
	for text, want := range map[string][2]bool{
		"package p; var c = make(chan int, 2)":              {true, false},
		"package p; const n = 1; var c = make(chan int, n)": {true, false},
		"package p; var c = make(chan int, 1)":              {false, false},
		"package p; var c = make(chan int)":                 {false, false},
		"package p; func f() { go f() }":                    {false, true},
		"package p; func f() { var g group; g.Go(f) }":      {false, true},
		"package p; func f() { f() }":                       {false, false},
	} {
		s, err := parse("p.go", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{queues(s), starts(s)}; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
