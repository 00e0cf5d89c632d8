package ipvsadm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

const saved = `# saved
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3
-A -f 7 -s wlc -p 300
-a -f 7 -r 198.51.100.2 -g -w 1
`

// A translation says what Load says, and warns where the original stands.
func TestTranslate(t *testing.T) {
	want, _ := Load("rules", []byte(saved))
	d := Translate("rules", []byte(saved), nil, document.Settings{})
	got, found := d.Load(new(config.Loader))
	if found.Err() != nil {
		t.Fatal(d.Format(found))
	}
	if diff := cmp.Diff(config.Format(want), config.Format(got)); diff != "" {
		t.Error(diff)
	}
	for _, f := range found {
		if f.File != "rules" || f.Line != 2 && f.Line != 4 {
			t.Errorf("%s", f)
		}
	}
	if again := Translate("rules", []byte(saved), nil, document.Settings{}); again.Text != d.Text || strings.Contains(d.Text, "\n\n\n") {
		t.Errorf("got\n%s", again.Text)
	}
}

// What is wrong with the original is told once, there.
func TestTranslateBad(t *testing.T) {
	d := Translate("rules", []byte("-A -t 192.0.2.1:80 -s rrr\n-Q\n"), nil, document.Settings{})
	if c, found := d.Load(new(config.Loader)); c != nil || found.Count(config.Error) != 2 {
		t.Errorf("got %v", found)
	}
}
