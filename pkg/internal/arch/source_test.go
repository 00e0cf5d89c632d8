package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// top is the repository's top directory, as tests see it.
const top = "../../.."

// A source is a Go file of the repository.
type source struct {
	path   string // from the top, with slashes
	text   string
	fset   *token.FileSet
	syntax *ast.File
}

// sources reads every Go file, whatever its build tags.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := fs.WalkDir(os.DirFS(top), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || outputs[name]):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		s, err := parse(name, string(text))
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func parse(name, text string) (source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	return source{name, text, fset, f}, err
}

func (s source) dir() string  { return path.Dir(s.path) }
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// constraint returns the expression of the file's go:build line, empty if there is none.
func (s source) constraint() string {
	for line := range strings.Lines(s.text) {
		if expr, ok := strings.CutPrefix(line, "//go:build "); ok {
			return strings.TrimSpace(expr)
		}
		if strings.HasPrefix(line, "package ") {
			break
		}
	}
	return ""
}

// at returns a position for a message.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // the parser accepted it
	}
	return p
}

// uses returns the places where the file names one of the functions, be it to call it or to pass it on. A name is
// "time.Now" for what an imported package has, whatever the file calls that package, "t.Skip" for what a variable has,
// and "panic" for what is built in.
func (s source) uses(names ...string) []string {
	var found []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		var name string
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				name = s.resolve(x.Name) + "." + n.Sel.Name
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok {
				name = f.Name
			}
		}
		if slices.Contains(names, name) {
			found = append(found, s.at(n)+": "+name)
		}
		return true
	})
	return found
}

// resolve returns the import path that a name stands for in the file, or the name if it is not that of a package.
func (s source) resolve(name string) string {
	for _, spec := range s.syntax.Imports {
		p := importPath(spec)
		if spec.Name != nil && spec.Name.Name == name || spec.Name == nil && path.Base(p) == name {
			return p
		}
	}
	return name
}
