package arch

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestPackageDocs wants one package doc for every package, which says what it is.
func TestPackageDocs(t *testing.T) {
	docs := map[string][]string{} // the files that have one, by directory
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		files := docs[s.dir()]
		if doc := s.syntax.Doc; doc != nil {
			files = append(files, s.path)
			want := "Package " + s.syntax.Name.Name + " "
			if s.syntax.Name.Name == "main" {
				want = "Command " + path.Base(s.dir()) + " "
			}
			if !strings.HasPrefix(doc.Text(), want) {
				t.Errorf("%s: begin the package doc with %q and say what it is", s.at(doc), want)
			}
		}
		docs[s.dir()] = files
	}
	for dir, files := range docs {
		switch {
		case len(files) == 0:
			t.Errorf("%s: no package doc: say what it is, what it isn't, and who owns the goroutines", dir)
		case len(files) > 1:
			t.Errorf("%s: package docs in %s: keep one", dir, strings.Join(files, " and "))
		}
	}
}

// outputs are what a build leaves at the top, as .gitignore has it.
var outputs = map[string]bool{"bin": true, "build": true}

// TestTopLevel holds the top level to what a newcomer can take in.
func TestTopLevel(t *testing.T) {
	want := strings.Fields("LICENSE Makefile README.md cmd contrib examples go.mod go.sum pkg scripts")
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !outputs[e.Name()] {
			got = append(got, e.Name())
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s: move it below contrib, examples, scripts or pkg", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing", name)
		}
	}
}
