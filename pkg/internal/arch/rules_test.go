package arch

import (
	"strings"
	"testing"
)

// A rule is something that the sources keep to.
type rule struct {
	name  string
	holds func(source, row) bool     // for which files
	find  func(source, row) []string // the offences, with their places
	do    string                     // what to do about one
	wrong string                     // a file with exactly one offence, which shows that the rule bites
}

func pure(s source, r row) bool    { return r.kind == "pure" && !s.isTest() }
func library(s source, r row) bool { return r.kind != "main" && r.kind != "test" && !s.isTest() }
func product(s source, r row) bool { return r.kind != "test" && !s.isTest() }
func test(s source, _ row) bool    { return s.isTest() }
func every(source, row) bool       { return true }

var rules = []rule{
	{
		name: "pure packages import nothing that reaches the world", holds: pure, find: impureImports,
		do: "move the code into the package's child that does the IO, or have the caller pass in a value; if the package" +
			" really needs it, put it behind a plus sign in its row of the table",
		wrong: `package p; import "os"`,
	},
	{
		name: "pure packages don't look at the clock", holds: pure,
		find: uses("time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.Tick",
			"time.NewTimer", "time.NewTicker"),
		do:    "take the time as an argument called now, and return a deadline",
		wrong: `package p; import clock "time"; var now = clock.Now`,
	},
	{
		name: "pure packages start no goroutines", holds: pure, find: goStatements,
		do:    "return what is to be done as data; a runner in an io package does it",
		wrong: `package p; func f() { go f() }`,
	},
	{
		name: "only commands end the program", holds: library,
		find:  uses("os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic", "log.Panicf", "log.Panicln", "panic"),
		do:    "return an error",
		wrong: `package p; func f() { panic(1) }`,
	},
	{
		name: "only commands print", holds: library,
		find:  uses("fmt.Print", "fmt.Printf", "fmt.Println", "log.Print", "log.Printf", "log.Println", "print", "println"),
		do:    "write to an io.Writer that the caller passes in, or log with the *slog.Logger that it was given",
		wrong: `package p; import "fmt"; func f() { fmt.Println() }`,
	},
	{
		name: "no shell runs what a configuration says", holds: product, find: shells,
		do:    "give exec.Command the program and its arguments one by one",
		wrong: `package p; import "os/exec"; var c = exec.Command("/bin/sh", "-c", "date")`,
	},
	{
		name: "tests never skip", holds: test,
		find: uses("t.Skip", "t.Skipf", "t.SkipNow", "b.Skip", "b.Skipf", "b.SkipNow", "f.Skip", "f.Skipf", "f.SkipNow",
			"tb.Skip", "tb.Skipf", "tb.SkipNow", "testing.Short"),
		do:    "make the test fail, or put what it needs under scripts; a test for a kernel has the build tag kernel",
		wrong: `package p; func f(t T) { t.Skip() }`,
	},
	{
		name: "tests don't sleep", holds: test, find: naps,
		do:    "wait for a condition with a generous limit, or run in a bubble of testing/synctest",
		wrong: `package p; import "time"; func f() { time.Sleep(1) }`,
	},
	{
		name: "kernel tests are called so", holds: every, find: kernelNames,
		do: "write //go:build kernel and no more into _test.go files whose tests are TestKernel... and BenchmarkKernel...;" +
			" tests with other names go into other files",
		wrong: "//go:build kernel\n\npackage p; func TestNetlink(*testing.T) {}",
	},
	{
		name: "no file over 500 lines", holds: every, find: long,
		do:    "split it by noun and stage",
		wrong: "package p" + strings.Repeat("\n", 501),
	},
}

// TestRules holds every file to the rules.
func TestRules(t *testing.T) {
	rows := table(t)
	for _, s := range sources(t) {
		r, _ := find(rows, s.dir()) // TestImports reports a missing row
		for _, rule := range rules {
			if !rule.holds(s, r) {
				continue
			}
			for _, offence := range rule.find(s, r) {
				t.Errorf("%s\n\t%s: %s", offence, rule.name, rule.do)
			}
		}
	}
}

// TestRulesBite shows that each rule finds the one offence of a wrong file and none in a right one.
func TestRulesBite(t *testing.T) {
	right := `package p; import ("net/netip"; "os/exec"; "time"); var a netip.Addr; var d time.Duration; var c exec.Cmd`
	for _, rule := range rules {
		for text, want := range map[string]int{rule.wrong: 1, right: 0} {
			s, err := parse("pkg/p/p_test.go", text)
			if err != nil {
				t.Fatal(err)
			}
			allowed := row{beside: []string{"os/exec"}}
			if found := rule.find(s, allowed); len(found) != want {
				t.Errorf("%s: found %q in %q, want %d", rule.name, found, text, want)
			}
		}
	}
}
