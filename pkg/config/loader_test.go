package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is the same in two versions of a file is the same object; what differs, also by a change of global_defs, is another.
func TestLoaderKeepsWhatIsTheSame(t *testing.T) {
	text := string(generated(4, 3, true))
	var l Loader
	before := load(t, &l, text)
	for _, tt := range []struct {
		name, text string
		same       []int // for each virtual server, which of the first version it is; -1: a new one
	}{
		{"nothing", text, []int{0, 1, 2, 3}},
		{"a weight", strings.Replace(text, "weight = 3", "weight = 4", 1), []int{-1, 1, 2, 3}},
		{"lines before it", "# a comment\n\n" + text, []int{0, 1, 2, 3}},
		{"one removed", text[strings.LastIndex(text[:len(text)/2], "[[virtual_server]]"):], []int{1, 2, 3}},
		{"a global setting", text + "[global_defs]\nrouter_id = \"x\"\n", []int{-1, -1, -1, -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := Loader{name: l.name, frame: l.frame, parts: l.parts}
			after := load(t, &l, tt.text)
			if len(after) != len(tt.same) {
				t.Fatalf("%d virtual servers", len(after))
			}
			for i, of := range tt.same {
				if (of < 0) != (indexOf(before, after[i]) < 0) || of >= 0 && after[i] != before[of] {
					t.Errorf("virtual server %d is number %d of the first version, want %d", i, indexOf(before, after[i]), of)
				}
			}
		})
	}
}

// Lines may end as on Windows, and the last one not at all.
func TestLoaderKeepsWhateverEndsLines(t *testing.T) {
	text := strings.ReplaceAll("[global_defs]\nrouter_id = \"x\"\n"+string(generated(2, 2, true)), "\n", "\r\n")
	for _, text := range []string{text, "\uFEFF" + text, strings.TrimSpace(text), text + "[virtual_server_group.G]\r\naddress = \"192.0.2.99:80\"\r\n"} {
		var l Loader
		before, after := load(t, &l, text), load(t, &l, strings.Replace(text, "weight = 2", "weight = 4", 1))
		if after[0] == before[0] || after[1] != before[1] {
			t.Errorf("%q: what had not changed was loaded anew", text)
		}
	}
}

// A version that is refused changes nothing of what is known of the one before.
func TestLoaderAfterARefusal(t *testing.T) {
	text := string(generated(2, 2, true))
	var l Loader
	before := load(t, &l, text)
	if c, found := l.Load("t.toml", text+"weight = true\n"); c != nil || found.Err() == nil {
		t.Fatal(found)
	}
	if after := load(t, &l, text); after[0] != before[0] || after[1] != before[1] {
		t.Error("what had not changed was loaded anew")
	}
}

// A loader says the same as Load, whatever it loaded before.
func TestLoaderSaysTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.toml")
	if err != nil || len(files) < 50 {
		t.Fatal(files, err)
	}
	var l Loader
	for _, warned := range []string{"", "snmp_name = \"x\"\n"} {
		for _, lead := range []string{"", "\n\n# moved\n", "[global_defs]\nrouter_id = \"x\"\n"} {
			for n := range 3 {
				sameAsWhole(t, &l, lead+strings.Repeat("[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\n"+warned, n))
				text := string(generated(n, 2, true))
				sameAsWhole(t, &l, lead+text+warned)
				sameAsWhole(t, &l, text+warned+lead)
			}
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sameAsWhole(t, &l, string(text))
	}
}

func sameAsWhole(t *testing.T, l *Loader, text string) {
	t.Helper()
	want, problems := whole("t.toml", text)
	got, found := l.Load("t.toml", text)
	if diff := cmp.Diff(problems, found); diff != "" {
		t.Errorf("%s\n(-whole +loader):\n%s", text, diff)
	}
	if (want == nil) != (got == nil) || want != nil && fmt.Sprint(len(want.VirtualServers), want.GlobalDefs) != fmt.Sprint(len(got.VirtualServers), got.GlobalDefs) {
		t.Errorf("%s\nwhole: %v\nloader: %v", text, want, got)
	}
}

func load(t *testing.T, l *Loader, text string) []*VirtualServer {
	t.Helper()
	c, found := l.Load("t.toml", text)
	if c == nil {
		t.Fatal(found)
	}
	return c.VirtualServers
}

func indexOf(list []*VirtualServer, vs *VirtualServer) int {
	for i := range list {
		if list[i] == vs {
			return i
		}
	}
	return -1
}

func BenchmarkReload(b *testing.B) {
	for _, form := range []string{"short", "long"} {
		text := string(generated(1000, 100, form == "long"))
		changed := strings.Replace(text, "wrr", "wlc", 1)
		b.Run("1000x100/"+form, func(b *testing.B) {
			var l Loader
			l.Load("bench.toml", text)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				l.Load("bench.toml", changed)
				text, changed = changed, text
			}
		})
	}
}

// What there is to say about a program or a file is said at the place where it is named first, however the file is read.
func TestRemark(t *testing.T) {
	const text = `
[SSL]
ca = "/etc/ca.pem"
[[virtual_server]]
address = "192.0.2.1:443"
protocol = "TCP"
real_servers = ["198.51.100.1"]
SSL_GET = { tls_verify = true }
quorum_up = ["/bin/tell up", "nobody"]
[[virtual_server]]
address = "192.0.2.2:443"
protocol = "TCP"
real_servers = ["198.51.100.1"]
MISC_CHECK = [{ misc_path = "/bin/check 1", user = "x" }, { misc_path = "/bin/check 2" }]
REDIS_CHECK = { passwd_file = "/etc/passwd" }
quorum_up = "/bin/tell up"
`
	read := map[string]*Config{}
	read["by parts"], _ = Load("f", []byte(text))
	read["in one piece"], _ = whole("f", text)
	for how, c := range read {
		for path, at := range map[string]string{
			"/etc/ca.pem": "f:3:6: ", "/bin/tell": "f:9:13: ", "/bin/check": "f:14:29: ", "/etc/passwd": "f:15:31: ",
		} {
			if got, want := c.Remark(path, "no").String(), at+"warning: no"; got != want {
				t.Errorf("%s, %s: %q, want %q", how, path, got, want)
			}
		}
		if d := c.Remark("/bin/check", ""); d.Path != "virtual_server[1].MISC_CHECK[0].misc_path" {
			t.Errorf("%s: %+v", how, d)
		}
	}
}
