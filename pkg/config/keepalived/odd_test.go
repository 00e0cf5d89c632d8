package keepalived

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// What keepalived says when it tests a file is known: of some mistakes it says nothing, and of scripts without enable_script_security
// it says more. TestKernelConfigTest asks keepalived itself.
func TestOdd(t *testing.T) {
	const instance = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 51\n%s\nvirtual_ipaddress {\n192.0.2.9/24\n}\n}\n"
	const guarded = "global_defs {\nenable_script_security\nscript_user root\n}\n"
	of := func(lines string) string { return fmt.Sprintf(instance, lines) }
	for _, tt := range []struct {
		text      string
		odd, bare bool
		dropped   int
	}{
		{of(""), false, false, 0},
		{of("frob"), true, false, 1},
		{of("state master"), true, false, 0},
		{of("garp_master_repeat 5x"), true, false, 0},
		{of("unicast_src_ip 192.0.2.1"), true, false, 0},
		{of("authentication {\nauth_type PASS\nauth_pass correcthorse\n}"), true, false, 0},
		{of("track_src_ip"), false, false, 1},
		{of("notify /no/such"), false, false, 1},
		{of("virtual_routes {\n10.1.0.0/16 via 192.0.2.1\n}"), true, false, 0},
		{of("virtual_routes {\n10.1.0.0/16 via 192.0.2.1 no_track\n}"), false, false, 0},
		{strings.Replace(of(""), "192.0.2.9/24", "", 1), true, false, 0},
		{of("notify /bin/true"), false, true, 0},
		{guarded + of("notify /bin/true"), false, false, 0},
		{"global_defs {\nenable_script_security\n}\n" + of("notify /bin/true"), true, false, 0},
		{"global_defs {\nscript_user nosuch\n}\n" + of("notify /bin/true"), true, false, 1},
		{guarded + "vrrp_script s {\nscript /bin/true\nuser 0\n}\n" + of(""), true, false, 0},
		{"global_defs {\nchecker_rt_priority 100\n}\n" + of(""), true, false, 1},
		{"global_defs {\nchecker_rt_priority 50\n}\n" + of(""), false, false, 0},
		{"virtual_server 192.0.2.1 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nquorum 2\nreal_server 10.0.0.1 80 {\n}\n}\n", true, false, 0},
		{"track_file F {\nfile /a\nfile /b\n}\n", true, false, 1},
	} {
		d := Translate("a.conf", []byte(tt.text), director{}, document.Settings{})
		if d.Odd != tt.odd || d.Bare != tt.bare || d.Dropped != tt.dropped {
			t.Errorf("odd %v, bare %v, dropped %d, want %v\n%s%s", d.Odd, d.Bare, d.Dropped, tt, tt.text, d.Format(d.Found))
		}
	}
}

// Of two files of a track_file, and two processes of a vrrp_track_process, the first one counts, as with keepalived.
func TestFirstCounts(t *testing.T) {
	for text, want := range map[string]string{
		"track_file F {\nfile /a\nfile /b\n}\n":             `file = "/a"`,
		"vrrp_track_process P {\nprocess a\nprocess b\n}\n": `process = "a"`,
	} {
		if d := Translate("a.conf", []byte(text), director{}, document.Settings{}); !strings.Contains(d.Text, want) {
			t.Errorf("no %s in\n%s", want, d.Text)
		}
	}
}
