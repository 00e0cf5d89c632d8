package document

import (
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// at is a place of an original file.
func at(file string, line, column int) Origin {
	return Origin{config.Position{File: file, Line: line, Column: column}, 4}
}

// twoFiles writes a document of a file and one that it includes.
func twoFiles(mistake func(w *Writer)) *Document {
	w := new(Writer)
	w.Table(at("a.conf", 2, 1), "virtual_server", true, 0, "the web")
	w.Set(at("a.conf", 2, 16), "address", "192.0.2.1:80")
	w.Set(at("a.conf", 3, 3), "protocol", "TCP")
	w.Set(at("a.conf", 4, 3), "quorum_up", "/no/such")
	w.Table(at("b.conf", 1, 1), "virtual_server.real_server", true, 1)
	w.Set(at("b.conf", 1, 13), "address", "198.51.100.1:80")
	w.Set(Origin{}, "TCP_CHECK", true)
	mistake(w)
	return w.Document("a.conf", map[string]string{
		"a.conf": "# the web\nvirtual_server 192.0.2.1 80 {\n  protocol TCP\n  quorum_up /no/such\n  include b.conf\n}\n",
		"b.conf": "real_server 198.51.100.1 80 {\n  TCP_CHECK { }\n  weight 1\n  auth_pass hidden\n}\n",
	})
}

// What package config says stands where the original has it, in the file that has it, the file that was named first.
func TestPlaces(t *testing.T) {
	d := twoFiles(func(w *Writer) {
		w.Set(at("b.conf", 3, 3), "weight", "many")
		w.Set(at("b.conf", 4, 3), "weigth", 1)
		w.Table(at("a.conf", 2, 1), "virtual_server", true, 0)
		w.Set(at("a.conf", 2, 16), "address", "192.0.2.1:80")
		w.Set(at("a.conf", 3, 3), "protocol", "TCP")
		w.Note(at("a.conf", 5, 3), "", "it is included")
	})
	c, found := d.Load(new(config.Loader))
	if c != nil {
		t.Error("the file is not refused")
	}
	var got strings.Builder
	for _, f := range found {
		got.WriteString(f.String() + "\n")
	}
	for _, want := range []string{
		"a.conf:5:3: note: it is included\n",
		"b.conf:3:3: weight ", "b.conf:4:3: [[virtual_server.real_server]] has no keyword ",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("no %q in\n%s", want, got.String())
		}
	}
	if text := got.String(); strings.LastIndex(text, "a.conf") > strings.Index(text, "b.conf") {
		t.Errorf("the files are mixed:\n%s", text)
	}
	// The line of the right file, and no secret of it.
	if text := d.Format(found); !strings.Contains(text, "  3 |   weight 1\n    |   ^^^^\n") || strings.Contains(text, "hidden") {
		t.Errorf("got\n%s", text)
	}
}

// A message that names another line names one of the original.
func TestNamedLines(t *testing.T) {
	d := twoFiles(func(w *Writer) {
		w.Table(at("b.conf", 2, 1), "virtual_server.real_server", true, 1)
		w.Set(at("b.conf", 2, 13), "address", "198.51.100.1:80")
	})
	_, found := d.Load(new(config.Loader))
	if text := d.Format(found); !strings.Contains(text, "b.conf:2:13: the server 198.51.100.1:80 is there twice\n") ||
		!strings.Contains(text, "hint: the first one is on line 1 of b.conf\n") {
		t.Errorf("got\n%s", text)
	}
}

// A remark is about the original, and what has not changed is the same object when only lines have moved.
func TestRemarksAndReuse(t *testing.T) {
	var loader config.Loader
	first, found := twoFiles(func(*Writer) {}).Load(&loader)
	if found.Err() != nil {
		t.Fatal(found.Err())
	}
	w := new(Writer)
	w.Comment(at("a.conf", 1, 1), "one line more")
	moved := twoFiles(func(*Writer) {})
	w.Insert(at("a.conf", 1, 1), moved.Text)
	moved.Text = w.Document("", nil).Text
	moved.Origins = append([]Origin{at("a.conf", 1, 1)}, moved.Origins...)
	for i := range moved.Origins {
		moved.Origins[i].Line += 10
	}
	second, found := moved.Load(&loader)
	if found.Err() != nil {
		t.Fatal(found.Err())
	}
	if first.VirtualServers[0] != second.VirtualServers[0] {
		t.Error("the virtual server is another object")
	}
	for want, c := range map[string]*config.Config{"a.conf:4:3: warning: it is gone": first, "a.conf:14:3: warning: it is gone": second} {
		if got := c.Remark("/no/such", "it is gone").String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What keeps a file from being used need not be wrong TOML.
func TestErrorOfTheOriginal(t *testing.T) {
	d := twoFiles(func(w *Writer) { w.Error(at("b.conf", 4, 3), "leave it out", "auth_pass has no place here") })
	c, found := d.Load(new(config.Loader))
	if c != nil || found.Err() == nil {
		t.Errorf("got %v", found)
	}
}

// Values, keys and comments come out of TOML as they went in, whatever is in them.
func TestQuoting(t *testing.T) {
	for _, s := range []string{"", "a b", `"`, `\`, "a\tb\nc\r", "\x00\x7f\x1b", "ä", "]#=", `'''"""`} {
		if got := Quote(s); strings.ContainsAny(got, "\n\x00\x1b") || strings.Contains(got, `"""`) {
			t.Errorf("%q is quoted as %s", s, got)
		}
	}
	w := new(Writer)
	w.Comment(Origin{}, "a\nb\x00")
	w.Set(Origin{}, "a b", 1.0)
	w.Set(Origin{}, "c", []string{"d", `e"`})
	w.List(Origin{}, "f", []Item{{Value: 0.5, Comments: []string{"g"}, Behind: "h\ni"}})
	const want = "# a b\n\"a b\" = 1\nc = [\"d\", \"e\\\"\"]\nf = [\n  # g\n  0.5, # h i\n]\n"
	if d := w.Document("", nil); d.Text != want || len(d.Origins) != strings.Count(d.Text, "\n") {
		t.Errorf("got\n%s%d origins", d.Text, len(d.Origins))
	}
}
