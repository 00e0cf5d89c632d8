package ldirectord

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/internal/corpus"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// host knows a few names.
type host struct{ document.Host }

func (host) Hostname() string { return "lb1.example.org" }

func (host) LookupPort(service, _ string) uint16 {
	return map[string]uint16{"http": 80, "www": 80, "https": 443, "domain": 53, "ldap": 389, "mysql": 3306}[service]
}

func (host) LookupHost(name string) ([]string, error) {
	if name == "localhost" {
		return []string{"127.0.0.1", "::1"}, nil
	}
	return nil, errors.New("no such host")
}

func (host) LookPath(program string) (string, error) { return "", errors.New("not in PATH") }

func translate(name, source string) *document.Document {
	return Translate(name, []byte(source), host{}, document.Settings{})
}

// files returns the files that match patterns; there have to be some.
func files(t *testing.T, patterns ...string) (list []string) {
	t.Helper()
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil || len(names) == 0 {
			t.Fatalf("no files %s: %v", p, err)
		}
		list = append(list, names...)
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What becomes of files of our own, which have every directive: the TOML, and what there is to say.
func TestGolden(t *testing.T) {
	for _, file := range files(t, "testdata/*.cf", "testdata/same/*.cf") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".cf"), func(t *testing.T) {
			d := translate(filepath.Base(file), read(t, file))
			_, found := d.Load(new(config.Loader))
			golden.Check(t, strings.TrimSuffix(file, ".cf")+".golden", []byte(d.Text+"\n----\n"+d.Format(found)))
			if refused := filepath.Base(file) == "wrong.cf"; refused != (found.Err() != nil) {
				t.Errorf("refused: %v", found.Err())
			}
		})
	}
}

// The files have each directive of the table.
func TestGoldenIsWhole(t *testing.T) {
	written := make(map[document.KeywordFate]bool)
	for _, file := range files(t, "testdata/*.cf", "testdata/same/*.cf") {
		for line := range strings.Lines(read(t, file)) {
			key, _, _ := strings.Cut(strings.TrimSpace(line), "=")
			k := document.KeywordFate{Name: strings.TrimSpace(key)}
			if strings.HasPrefix(line, "\t") {
				k.Scope = "virtual"
			}
			written[k] = true
		}
	}
	for _, k := range Keywords() {
		if !written[document.KeywordFate{Scope: k.Scope, Name: k.Name}] {
			t.Errorf("no file has %s %s", k.Scope, k.Name)
		}
	}
}

// inventory is each directive of ldirectord(8), and those that its parser takes besides, by where they may stand.
var inventory = map[string]string{
	"": "virtual virtual6 checktimeout negotiatetimeout checkinterval checkcount failurecount autoreload callback fallback fallback6 " +
		"fallbackcommand logfile emailalert emailalertfrom emailalertfreq emailalertstatus smtp execute supervised fork quiescent " +
		"readdquiescent cleanstop maintenancedir timeout connecttimeout",
	"virtual": "real real6 checktype service checkcommand checkport request receive httpmethod virtualhost login passwd database secret " +
		"load scheduler schedflags persistent netmask protocol ops monitorfile servicename comment checktimeout negotiatetimeout checkcount " +
		"failurecount checkinterval fallback fallback6 fallbackcommand quiescent cleanstop emailalert emailalertfreq emailalertstatus smtp",
}

// No directive is unaccounted for, and each that is not simply honoured says what becomes of it.
func TestInventory(t *testing.T) {
	known := make(map[string][]string)
	for _, k := range Keywords() {
		known[k.Scope] = append(known[k.Scope], k.Name)
		if k.Fate != document.Honoured && k.Remark == "" {
			t.Errorf("%s is %s without a remark", k.Name, k.Fate)
		}
	}
	for scope, names := range inventory {
		want := strings.Fields(names)
		slices.Sort(want)
		if !slices.Equal(known[scope], want) {
			t.Errorf("in %q there are\n%s\nwant\n%s", scope, known[scope], want)
		}
	}
}

// Files of the field become configurations, or are refused for what ldirectord itself refuses.
func TestCorpus(t *testing.T) {
	for _, file := range corpus.Files(t, "ldirectord/*.cf") {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			source := read(t, file)
			d := translate(name, source)
			c, found := d.Load(new(config.Loader))
			if strings.Contains(name, "l7directord") { // another program's
				if c != nil {
					t.Error("it was taken")
				}
				return
			}
			if c == nil {
				t.Fatal(d.Format(found))
			}
			if want := strings.Count("\n"+source, "\nvirtual=") + strings.Count(source, "\n  virtual="); len(c.VirtualServers) != want {
				t.Errorf("%d virtual servers, want %d", len(c.VirtualServers), want)
			}
			stable(t, c)
		})
	}
}

// stable says that a configuration, written by Format, is the same when it is read again.
func stable(t *testing.T, c *config.Config) {
	t.Helper()
	first := config.Format(c)
	again, found := config.Load("again.toml", first)
	if again == nil {
		t.Fatalf("it can't be read again:\n%s", found.Format(first))
	}
	if second := config.Format(again); !bytes.Equal(first, second) {
		t.Errorf("read again it is\n%s\nnot\n%s", second, first)
	}
}

// What our own files become is stable, too.
func TestStable(t *testing.T) {
	for _, file := range files(t, "testdata/same/*.cf", "testdata/[^w]*.cf") {
		c, _ := translate("x.cf", read(t, file)).Load(new(config.Loader))
		if c == nil {
			t.Fatalf("%s was refused", file)
		}
		stable(t, c)
	}
}

// Secrets are in no message.
func TestSecrets(t *testing.T) {
	const source = "virtual=192.0.2.1:1812\n\treal=10.0.0.1:1812 masq x\n\tlogin=me\n\tpasswd=Hidden-1 \n\tsecret=\"Hidden-2\n\tsecret=Hidden-3\n"
	d := translate("x.cf", source)
	_, found := d.Load(new(config.Loader))
	if s := d.Format(found); strings.Contains(s, "Hidden") {
		t.Error(s)
	}
}

// Whatever a file has, it is translated, and the places of what is said are in it.
func FuzzTranslate(f *testing.F) {
	for _, pattern := range []string{"testdata/*.cf", "testdata/same/*.cf"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(b))
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		d := translate("x.cf", source)
		lines := strings.Count(source, "\n") + 1
		for _, o := range d.Origins {
			if o.Line < 0 || o.Line > lines {
				t.Fatalf("line %d of %d", o.Line, lines)
			}
		}
		if n := strings.Count(d.Text, "\n"); n != len(d.Origins) {
			t.Fatalf("%d lines have %d origins", n, len(d.Origins))
		}
		if _, err := toml.Decode(d.Text, new(map[string]any)); err != nil {
			t.Fatalf("%v\n%s", err, d.Text)
		}
		c, found := d.Load(new(config.Loader))
		for _, one := range found {
			if strings.Contains(one.Message, "has no keyword") {
				t.Fatalf("%s\n%s", one, d.Text) // the document is wrong, not the file
			}
		}
		_ = fmt.Sprint(d.Format(found))
		if c != nil {
			stable(t, c)
		}
	})
}

// What is asked of name servers for an address, and what stands in a request.
func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "7.2.0.192.in-addr.arpa", "www.example.org": "",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := reverse(text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	if got, want := escaped("/a b?c=%20é"), "/a%20b?c=%20%C3%A9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A program that this host lacks is an error where the file is to run, and is kept where it may be another host's.
func TestElsewhere(t *testing.T) {
	const text = "quiescent=no\nvirtual=192.0.2.1:80\n\treal=198.51.100.1:80 gate\n\tprotocol=tcp\n\tfallbackcommand=swap now\n"
	here := translate("l.cf", text)
	there := Translate("l.cf", []byte(text), host{}, document.Settings{Elsewhere: true})
	if here.Found.Err() == nil || there.Found.Err() != nil || !strings.Contains(there.Text, `quorum_up = "/usr/bin/swap now stop `) {
		t.Errorf("here\n%s\nthere\n%s%s", here.Format(here.Found), there.Text, there.Format(there.Found))
	}
}

// Without smtp mail goes where ldirectord's local mailer is; where nobody gets mail nobody needs that.
func TestLocalMailer(t *testing.T) {
	const service = "virtual=192.0.2.1:80\n\treal=10.0.0.1:80 gate\n"
	for text, want := range map[string]bool{
		"emailalert=ops@example.org\n" + service:                  true,
		service + "\temailalert=ops@example.org\n":                true,
		"smtp=192.0.2.25\nemailalert=ops@example.org\n" + service: false,
		service: false,
	} {
		d := translate("l.cf", text)
		c, found := d.Load(new(config.Loader))
		if c == nil {
			t.Fatal(d.Format(found))
		}
		if got := strings.Contains(d.Text, "smtp_server = \"localhost\"\n"); got != want {
			t.Errorf("%s: %v\n%s", text, got, d.Text)
		}
	}
}
