package keepalived

import (
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// An empty file is an empty document.
func TestTranslateNothing(t *testing.T) {
	if d := Translate("keepalived.conf", nil, nil, document.Settings{}); d.Text != "" || d.Found != nil {
		t.Errorf("got %q, %v", d.Text, d.Found)
	}
}

// What this host lacks is dropped as keepalived here would drop it, and kept, and told, if the file may be for another host.
func TestElsewhere(t *testing.T) {
	const text = `global_defs {
  script_user missing
  notify_fifo /run/f missing group
}
vrrp_script chk {
  script "/no/chk 1"
  user missing
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  virtual_ipaddress { 192.0.2.1 }
  track_script { chk }
  notify_master "/no/notify" missing
  notify_backup nowhere
}
virtual_server 192.0.2.1 80 {
  real_server 198.51.100.1 80 {
    MISC_CHECK {
      misc_path "/no/misc"
      user missing
    }
  }
}
`
	lines := []string{
		`script_user = "missing"`, `notify_fifo = ["/run/f", "missing", "group"]`, `script = "/no/chk 1"`, `user = "missing"`, "track_script = [\n  \"chk\",",
		`notify_master = ["/no/notify", "missing"]`, `notify_backup = "/usr/bin/nowhere"`, `misc_path = "/no/misc"`,
	}
	here := Translate("k.conf", []byte(text), director{}, document.Settings{})
	there := Translate("k.conf", []byte(text), director{}, document.Settings{Elsewhere: true})
	for _, l := range lines {
		if strings.Contains(here.Text, l) || !strings.Contains(there.Text, l) {
			t.Errorf("%s: here\n%s\nthere\n%s", l, here.Text, there.Text)
		}
	}
	report := there.Format(there.Found.With(nil))
	for _, want := range []string{
		`k.conf:2:15: warning: this host has no account "missing": `, `k.conf:3:22: warning: this host has no account "missing group": `,
		"k.conf:6:10: warning: /no/chk can't be run on this host (there is no such program): ", "k.conf:15:17: warning: nowhere is not found on this host; ",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	}
	if _, found := there.Load(new(config.Loader)); found.Err() != nil {
		t.Error(there.Format(found))
	}
}
