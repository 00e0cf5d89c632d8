package arch

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// What the rules look for. Each returns the offences of a file, with their places.

func uses(names ...string) func(source, row) []string {
	return func(s source, _ row) []string { return s.uses(names...) }
}

func impureImports(s source, r row) []string {
	var found []string
	for _, spec := range s.syntax.Imports {
		p := importPath(spec)
		if reachesTheWorld(p) && !slices.Contains(r.beside, p) {
			found = append(found, s.at(spec)+": import of "+p)
		}
	}
	return found
}

// reachesTheWorld says whether a package does IO, keeps state between its callers or deals with goroutines. Other
// people's modules count as doing so.
func reachesTheWorld(importPath string) bool {
	first, _, below := strings.Cut(importPath, "/")
	switch {
	case strings.HasPrefix(importPath, module):
		return false // the table decides
	case first == "net":
		return importPath != "net/netip" && importPath != "net/url"
	case strings.HasPrefix(importPath, "math/rand"), importPath == "crypto/rand":
		return true
	}
	return below && strings.Contains(first, ".") ||
		slices.Contains([]string{"context", "database", "log", "os", "plugin", "runtime", "sync", "syscall", "unsafe"}, first)
}

func goStatements(s source, _ row) []string {
	var found []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			found = append(found, s.at(g)+": go statement")
		}
		return true
	})
	return found
}

// shells finds calls such as exec.Command("/bin/sh", ...).
func shells(s source, _ row) []string {
	var found []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if ok && strings.HasPrefix(f.Sel.Name, "Command") && slices.ContainsFunc(call.Args, namesShell) {
			found = append(found, s.at(call)+": a shell")
		}
		return true
	})
	return found
}

func namesShell(arg ast.Expr) bool {
	lit, ok := arg.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return false
	}
	word, err := strconv.Unquote(lit.Value)
	return err == nil && slices.Contains([]string{"sh", "bash", "dash"}, path.Base(word))
}

// naps allows time.Sleep where testing/synctest is imported: in a bubble it costs no time and is exact.
func naps(s source, _ row) []string {
	for _, spec := range s.syntax.Imports {
		if importPath(spec) == "testing/synctest" {
			return nil
		}
	}
	return s.uses("time.Sleep")
}

func kernelNames(s source, _ row) []string {
	tagged := strings.Contains(s.constraint(), "kernel")
	if tagged && (!s.isTest() || s.constraint() != "kernel") {
		return []string{s.path + ": //go:build " + s.constraint()}
	}
	var found []string
	for _, d := range s.syntax.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !s.isTest() || f.Name.Name == "TestMain" {
			continue
		}
		for _, verb := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
			if rest, ok := strings.CutPrefix(f.Name.Name, verb); ok && strings.HasPrefix(rest, "Kernel") != tagged {
				found = append(found, s.at(f)+": "+f.Name.Name)
			}
		}
	}
	return found
}

func long(s source, _ row) []string {
	if n := strings.Count(s.text, "\n"); n > 500 {
		return []string{s.path + ": " + strconv.Itoa(n) + " lines"}
	}
	return nil
}
