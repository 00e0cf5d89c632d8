package piranha

import (
	"bytes"
	"errors"
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

// host is the router with an address.
type host struct {
	document.Host
	address string
}

func (host) Hostname() string { return "lb1.example.org" }

func (h host) LookupHost(string) ([]string, error) {
	if h.address == "" {
		return nil, errors.New("no such host")
	}
	return []string{h.address}, nil
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What becomes of files of our own, which have every directive: the TOML, and what there is to say.
func TestGolden(t *testing.T) {
	for _, name := range []string{"pair", "single", "wrong"} {
		t.Run(name, func(t *testing.T) {
			d := Translate(name+".cf", read(t, "testdata/"+name+".cf"), host{}, document.Settings{})
			c, found := d.Load(new(config.Loader))
			golden.Check(t, "testdata/"+name+".golden", []byte(d.Text+"\n----\n"+d.Format(found)))
			if name != "wrong" {
				stable(t, c)
			} else if c != nil {
				t.Error("it was taken")
			}
		})
	}
}

// The priority says which of the two routers it is.
func TestPriority(t *testing.T) {
	for _, test := range []struct{ address, want string }{
		{"10.0.100.101", "\npriority = 150\n"}, {"10.0.100.102", "\npriority = 100\n"}, {"10.0.100.103", "\npriority = 100\n"},
	} {
		d := Translate("lvs.cf", read(t, "testdata/pair.cf"), host{address: test.address}, document.Settings{})
		if !strings.Contains(d.Text, test.want) {
			t.Errorf("%s: got %s, want %q", test.address, d.Text, test.want)
		}
	}
}

// inventory is each directive of Piranha's, by block.
var inventory = map[string]string{
	"": "virtual failover serial_no primary primary_private primary_shared backup backup_private backup_shared backup_active service heartbeat " +
		"heartbeat_port keepalive deadtime network nat_router nat_nmask debug_level monitor_links syncdaemon syncd_iface syncd_id tcp_timeout " +
		"tcpfin_timeout udp_timeout active_cmd inactive_cmd rsh_command hard_shutdown reservation_conflict_action",
	"virtual": "server active address vip_nmask fwmark protocol port scheduler persistent pmask sorry_server send expect use_regex send_program " +
		"load_monitor timeout reentry quiesce_server",
	"server": "address port active weight",
}

// No directive is unaccounted for, each says what becomes of it, and each is in one of the files.
func TestInventory(t *testing.T) {
	known := make(map[string][]string)
	var text strings.Builder
	files, err := filepath.Glob("testdata/*.cf")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text.Write(read(t, f))
	}
	for _, k := range Keywords() {
		known[k.Scope] = append(known[k.Scope], k.Name)
		if k.Fate != document.Honoured && k.Remark == "" {
			t.Errorf("%s is %s without a remark", k.Name, k.Fate)
		}
		if !strings.Contains(text.String(), k.Name+" ") {
			t.Errorf("no file has %s", k.Name)
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

// Files of the field become configurations.
func TestCorpus(t *testing.T) {
	for _, f := range corpus.Files(t, "piranha/*.cf") {
		source := read(t, f)
		d := Translate(f, source, host{}, document.Settings{})
		c, found := d.Load(new(config.Loader))
		if c == nil {
			t.Errorf("%s: %s", f, d.Format(found))
			continue
		}
		active := 0
		for block := range strings.SplitSeq(string(source), "\nvirtual ") {
			if strings.Contains(block, "\n     active = 1") {
				active++
			}
		}
		if len(c.VirtualServers) != active {
			t.Errorf("%s: %d virtual servers, want %d", f, len(c.VirtualServers), active)
		}
		stable(t, c)
	}
}

// stable says that a configuration, written by Format, is the same when it is read again.
func stable(t *testing.T, c *config.Config) {
	t.Helper()
	if c == nil {
		t.Fatal("it was refused")
	}
	first := config.Format(c)
	again, found := config.Load("again.toml", first)
	if again == nil {
		t.Fatalf("it can't be read again:\n%s", found.Format(first))
	}
	if second := config.Format(again); !bytes.Equal(first, second) {
		t.Errorf("read again it is\n%s\nnot\n%s", second, first)
	}
}

// Whatever a file has, it is translated, and the places of what is said are in it.
func FuzzTranslate(f *testing.F) {
	for _, name := range []string{"pair", "single", "wrong"} {
		b, err := os.ReadFile("testdata/" + name + ".cf")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, source string) {
		d := Translate("lvs.cf", []byte(source), host{}, document.Settings{})
		lines := strings.Count(source, "\n") + 1
		for _, o := range d.Origins {
			if o.Line < 0 || o.Line > lines {
				t.Fatalf("line %d of %d", o.Line, lines)
			}
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
		_ = d.Format(found)
		if c != nil {
			stable(t, c)
		}
	})
}
