package filesource

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/member"
)

func text(r member.Report) string {
	var words []string
	for _, m := range r.Members {
		words = append(words, m.Addr.String())
	}
	return strings.Join(words, " ")
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "servers.d")
	d := directory{source: member.Source{Kind: member.Directory, Name: dir}}
	is := func(want, warning, failure string) {
		t.Helper()
		r := d.read()
		if text(r) != want || !strings.Contains(r.Warning, warning) || (r.Warning == "") != (warning == "") ||
			!strings.Contains(r.Err, failure) || (r.Err == "") != (failure == "") {
			t.Errorf("got %q, %q, %q", text(r), r.Warning, r.Err)
		}
	}
	is("", "", "no such file or directory")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	is("", "", "")
	write(t, dir, "web.json", `[{"targets": ["10.0.0.1"]}]`)
	write(t, dir, "php.toml", "[[servers]]\ntargets = [\"10.0.0.2\"]\n")
	write(t, dir, "README", "nothing")
	write(t, dir, ".web.json.swp", "nothing")
	is("10.0.0.1 10.0.0.2", "", "")
	write(t, dir, "web.json", `[{"targets": ["10.0.0.`)
	is("10.0.0.1 10.0.0.2", "web.json: unexpected EOF; it counts as it was before", "")
	write(t, dir, "web.json", `[{"targets": ["10.0.0.3"]}]`)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	is("10.0.0.2 10.0.0.3", "pipe.json: it is no file", "")
	if err := os.Remove(filepath.Join(dir, "php.toml")); err != nil {
		t.Fatal(err)
	}
	is("10.0.0.3", "pipe.json", "")
	write(t, dir, "web.json", strings.Repeat(" ", member.MaxItem)+"[]")
	is("10.0.0.3", "pipe.json: it is no file; it counts as it was before (and 1 more)", "")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	is("", "", "no such file or directory")
}

// What changes is told, also in a directory that has gone and come again.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "servers.d")
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan member.Report, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		Run(ctx, member.Source{Kind: member.Directory, Name: dir}, func(r member.Report) { reports <- r })
	}()
	await := func(want string, failed bool) {
		t.Helper()
		limit := time.After(time.Minute)
		for {
			select {
			case r := <-reports:
				if text(r) == want && (r.Err != "") == failed {
					return
				}
			case <-limit:
				t.Fatalf("never heard of %q", want)
			}
		}
	}
	await("", true)
	for range 2 {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "web.json", `[{"targets": ["10.0.0.1"]}]`)
		await("10.0.0.1", false)
		write(t, dir, "new", `[{"targets": ["10.0.0.2"]}]`)
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "web.json")); err != nil {
			t.Fatal(err)
		}
		await("10.0.0.2", false)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		await("", true)
	}
	cancel()
	<-done
}
