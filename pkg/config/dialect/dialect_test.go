package dialect

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/corpus"
)

// Each file of the corpus is known by what it says, whatever it is called.
func TestCorpus(t *testing.T) {
	dirs := map[string]Dialect{"keepalived": Keepalived, "ipvsadm": IPVSAdm, "ldirectord": Ldirectord, "piranha": Piranha}
	for _, f := range corpus.Files(t, "*/*") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want := dirs[filepath.Base(filepath.Dir(f))]
		for _, name := range []string{"file", "ipvsd.toml", "keepalived.conf", "ldirectord.cf"} {
			if got := Of(name, string(text)); got != want {
				t.Errorf("%s called %s: it is %s", f, name, got)
			}
		}
	}
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../../examples/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := Of("keepalived.conf", string(text)); got != TOML {
			t.Errorf("%s: it is %s", f, got)
		}
	}
}

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       Dialect
	}{
		{"/etc/ipvsd/ipvsd.toml", "", TOML},
		{"/etc/keepalived/keepalived.conf", "", Keepalived},
		{"/etc/ha.d/ldirectord.cf", "# nothing yet\n", Ldirectord},
		{"/etc/sysconfig/ha/lvs.cf", "", Piranha},
		{"/etc/ipvsadm.rules", "", IPVSAdm},
		{"config", "", TOML},
		{"config", "x = 1\ny = 2\n", TOML},
		{"t.toml", "[nonsense]\nx = 1\n", TOML},
		{"a.conf", "[[virtual_server]]\n", TOML},
		{"a.conf", "[ \"virtual_server\" ]\n", TOML},
		{"a.conf", "virtual_server = [{ address = \"192.0.2.1:80\" }]\n", TOML},
		{"a.conf", "global_defs.router_id = \"x\"\n", TOML},
		{"t.toml", "\ufeff! comment\r\n", Keepalived},
		{"t.toml", "@id vrrp_instance V {\n", Keepalived},
		{"t.toml", "$A=1\n", Keepalived},
		{"t.toml", "~SEQ(x,2) virtual_server 10.0.0.~x 80 { }\n", Keepalived},
		{"t.toml", "vrrp_instance V{\n", Keepalived},
		{"t.toml", "include /etc/keepalived/*.conf\n", Keepalived},
		{"t.toml", "prompt# cat keepalived.conf\nbal_defs {\nvrrp_script x {\n", Keepalived},
		{"t.toml", "-A -t 192.0.2.1:80\n", IPVSAdm},
		{"t.toml", "/sbin/ipvsadm -A -t 192.0.2.1:80\n", IPVSAdm},
		{"t.toml", "[global]\nchecktimeout = 3\n", Ldirectord},
		{"t.toml", "virtual6=[2001:db8::1]:80\n", Ldirectord},
		{"t.toml", "virtual web {\n active = 1\n", Piranha},
	} {
		if got := Of(tt.name, tt.text); got != tt.want {
			t.Errorf("%s %q: it is %s, want %s", tt.name, tt.text, got, tt.want)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("a", "virtual_server {")
	f.Fuzz(func(_ *testing.T, name, text string) { _ = Of(name, text).String() })
}
