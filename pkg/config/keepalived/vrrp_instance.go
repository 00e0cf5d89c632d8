package keepalived

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// routers is what VRRP's part of a file has to know beyond one block.
type routers struct {
	settings      map[string]any  // of global_defs, as they are written
	named         map[string]bool // "vrrp_instance VI_1" and so on, those that count so far
	usable        map[string]bool // what can be tracked, as "track_script chk"
	member        map[string]string
	taken         map[string]bool // addresses, with where they are
	polled, paced map[string]bool
	rules         map[*Node]sentence
	preference    [2]int // rules without one so far, of IPv4 and IPv6
	garpGroups    int

	command, unowned *Word // the first command that is run, and the first that names no user
	nobody           bool  // script_user is none: those don't run

	router *router  // the one that is being read
	keys   []string // of its auth_hmac
}

// router is a vrrp_instance that is being read.
type router struct {
	name     string
	familiar bool // the family is known
	ipv6     bool
	auth     func() // writes its table
}

var routerTops = scope{"", []keyword{
	{"vrrp_instance", Honoured, "", func(t *translation, n *Node) {
		t.pollOwn(n)
		t.after(func() { t.vrrpInstance(n) })
	}},
	{"vrrp_sync_group", Honoured, "", inTurn((*translation).syncGroup)},
	{"vrrp_script", Honoured, "", inTurn((*translation).vrrpScript)},
	{"track_file", Honoured, "", inTurn((*translation).trackFile)},
	{"vrrp_track_file", Mapped, "the old name of track_file", inTurn((*translation).trackFile)},
	{"vrrp_track_process", Honoured, "", inTurn((*translation).trackProcess)},
	{"bfd_instance", Honoured, "", inTurn((*translation).bfdInstance)},
}}

// inTurn has a block translated when its table is written: what it names must stand further up.
func inTurn(translate func(*translation, *Node)) func(*translation, *Node) {
	return func(t *translation, n *Node) { t.after(func() { translate(t, n) }) }
}

var instanceScope = scope{"vrrp_instance", []keyword{
	{"state", Honoured, "", (*translation).state},
	{"interface", Honoured, "", text},
	{"virtual_router_id", Honoured, "", whole(1, 255)},
	{"priority", Honoured, "", whole(1, 255)},
	{"advert_int", Honoured, "", decimal(0.01, 255)},
	{"version", Honoured, "", (*translation).version},
	{"virtual_ipaddress", Honoured, "", (*translation).virtualAddresses},
	{"virtual_ipaddress_excluded", Honoured, "", (*translation).virtualAddresses},
	{"no_virtual_ipaddress", Honoured, "", flag},
	{"virtual_routes", Honoured, "", (*translation).virtualRoutes},
	{"virtual_rules", Honoured, "", (*translation).virtualRules},
	{"promote_secondaries", Honoured, "", flag},
	{"use_vmac", Honoured, "", (*translation).vmac},
	{"use_vmac_addr", Honoured, "", flag},
	{"vmac_xmit_base", Honoured, "", flag},
	{"use_ipvlan", Honoured, "", (*translation).ipvlan},
	{"vrf", Honoured, "", text},
	{"native_ipv6", Honoured, "", (*translation).nativeIPv6},
	{"dont_track_primary", Honoured, "", flag},
	{"mcast_src_ip", Honoured, "", (*translation).source},
	{"unicast_src_ip", Honoured, "", (*translation).source},
	{"track_src_ip", Honoured, "", flag},
	{"mcast_dst_ip", Honoured, "", (*translation).multicast},
	{"unicast_peer", Honoured, "", (*translation).peers},
	{"unicast_fault_no_peer", Honoured, "", flag},
	{"unicast_ttl", Honoured, "", whole(0, 255)},
	{"check_unicast_src", Honoured, "", flag},
	{"old_unicast_checksum", Honoured, "", (*translation).oldChecksum},
	{"v3_checksum_as_v2", Honoured, "", boolean},
	{"accept", Honoured, "", either("accept", "no_accept")},
	{"no_accept", Honoured, "", either("no_accept", "accept")},
	{"strict_mode", Honoured, "", boolean},
	{"skip_check_adv_addr", Honoured, "", since},
	{"preempt", Mapped, "nothing: it is so without nopreempt", func(t *translation, _ *Node) { t.drop("nopreempt") }},
	{"nopreempt", Honoured, "", flag},
	{"preempt_delay", Honoured, "", decimal(0, 1000)},
	{"down_timer_adverts", Honoured, "", whole(1, 100)},
	{"timer_expired_backup", Honoured, "", (*translation).expired},
	{"thread_timer_expired", Mapped, "the old name of timer_expired_backup", as("timer_expired_backup", (*translation).expired)},
	{"garp_master_delay", Honoured, "", loose(0, mostSeconds)},
	{"garp_master_repeat", Honoured, "", loose(1, 1000)},
	{"garp_master_refresh", Honoured, "", loose(0, mostSeconds)},
	{"garp_master_refresh_repeat", Honoured, "", loose(1, 1000)},
	{"garp_lower_prio_delay", Honoured, "", loose(0, mostSeconds)},
	{"garp_lower_prio_repeat", Honoured, "", loose(0, 1000)},
	{"garp_extra_if", Honoured, "", (*translation).extraIf},
	{"vmac_garp_intvl", Mapped, "the old name of garp_extra_if", renamed("garp_extra_if", (*translation).extraIf)},
	{"lower_prio_no_advert", Honoured, "", boolean},
	{"higher_prio_send_advert", Honoured, "", boolean},
	{"owner_ignore_adverts", Honoured, "", boolean},
	{"kernel_rx_buf_size", Honoured, "", whole(1, 1<<31-1)},
	{"track_interface", Honoured, "", trackList("track_interface", 253)},
	{"track_script", Honoured, "", trackList("track_script", 253)},
	{"track_file", Honoured, "", trackList("track_file", 254)},
	{"track_process", Honoured, "", trackList("track_process", 254)},
	{"track_bfd", Honoured, "", trackList("track_bfd", 253)},
	{"notify_master", Honoured, "", notify},
	{"notify_backup", Honoured, "", notify},
	{"notify_fault", Honoured, "", notify},
	{"notify_stop", Honoured, "", notify},
	{"notify_deleted", Honoured, "", (*translation).notifyDeleted},
	{"notify", Honoured, "", notify},
	{"notify_master_rx_lower_pri", Honoured, "", notify},
	{"notify_priority_changes", Honoured, "", boolean},
	{"smtp_alert", Honoured, "", boolean},
	{"authentication", Honoured, "", (*translation).authentication},
	{"auth_hmac", Honoured, "", (*translation).authHMAC},
	{"debug", Idle, "ipvsctl vrrp shows what happens", unused(whole(0, 4))},
	{"linkbeat_use_polling", Mapped, "its interface is written to linkbeat_interfaces", nil}, // pollOwn reads it
	{"lvs_sync_daemon_interface", Mapped, "lvs_sync_daemon in global_defs, with this instance", nil},
}}

var authScope = scope{"authentication", []keyword{
	{"auth_type", Honoured, "", nil}, // authentication reads them
	{"auth_pass", Honoured, "", nil},
}}

var hmacScope = scope{"auth_hmac", []keyword{
	{"key", Honoured, "", (*translation).hmacKey},
	{"active_key", Honoured, "", whole(1, 255)},
	{"anti_replay", Honoured, "", text},
	{"time_window", Honoured, "", whole(1, 300)},
	{"mode", Honoured, "", text},
}}

// mostSeconds is what ipvsd takes for the times of gratuitous ARP: 31 days.
const mostSeconds = 31 * 24 * 3600

// Blocks whose lines have a form of their own.
var (
	addressLines  = scope{"virtual_ipaddress", nil}
	excludedLines = scope{"virtual_ipaddress_excluded", nil}
	routeLines    = scope{"virtual_routes", nil}
	ruleLines     = scope{"virtual_rules", nil}
	peerLines     = scope{"unicast_peer", nil}
)

// plainName is a name without blanks and quotes, as ipvsd wants them: lines for scripts have them.
func plainName(name string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f || c == '"' {
			return '_'
		}
		return c
	}, name)
}

// first says whether a block has a name that no block of its kind has had: keepalived takes no notice of the others.
func (t *translation) first(n *Node) bool {
	if len(n.Args) == 0 {
		t.ignored(n.Word, "write one behind it", "the %s has no name", n.Text)
		return false
	}
	id := n.Text + " " + n.arg(0)
	if t.vrrp.named[id] {
		t.ignored(n.Args[0], "give it another name", "there is a %s %s already", n.Text, n.arg(0))
		return false
	}
	if t.vrrp.named == nil {
		t.vrrp.named = make(map[string]bool)
	}
	t.vrrp.named[id] = true
	if name := plainName(n.arg(0)); name != n.arg(0) {
		t.Warn(n.Args[0].At, "write a name without blanks", "the name is %s now, for notify scripts as well: it has no blanks and quotes", name)
	}
	return true
}

// exists says whether the file has a block of that name, there or further down.
func (t *translation) exists(keyword, name string) bool {
	for _, n := range t.root {
		if n.Text == keyword && n.arg(0) == name {
			return true
		}
	}
	return false
}

func (t *translation) vrrpInstance(n *Node) {
	if !t.first(n) {
		return
	}
	t.table(n, document.Header(n.Text, plainName(n.arg(0))), false, 0, func() {
		t.vrrp.router = &router{name: plainName(n.arg(0))}
		t.walk(n)
		t.settle(n)
		t.vrrp.router = nil
	})
}

func (t *translation) state(n *Node) {
	w, ok := t.word(n, "MASTER or BACKUP")
	if !ok {
		return
	}
	if w.Text != "MASTER" && w.Text != "BACKUP" {
		t.Assume(w.At, "write MASTER or BACKUP", "%s is no state: keepalived takes BACKUP", w.Text)
		w.Text = "BACKUP"
	}
	t.put(n, n.Text, w.Text)
}

func (t *translation) version(n *Node) {
	v, ok := t.whole(n, 2, 3)
	if !ok {
		return
	}
	if r := t.vrrp.router; v == 2 && r.familiar && r.ipv6 {
		t.ignored(n.Args[0], "write version 3, or leave it out", "the instance is IPv6, which version 2 hasn't")
		return
	}
	t.put(n, n.Text, v)
}

// either is a flag that undoes another one: the last of them counts.
func either(this, other string) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if before := t.drop(other); before != nil {
			t.Warn(before.At, "leave one of them out", "%s has no effect: %s comes behind it", other, this)
		}
		flag(t, n)
	}
}

// family says whether what has an address belongs to the instance: the first one settles its family, as with keepalived.
func (t *translation) family(w Word, ipv6 bool, what, hint string) bool {
	r := t.vrrp.router
	if !r.familiar {
		r.familiar, r.ipv6 = true, ipv6
	}
	if r.ipv6 == ipv6 {
		return true
	}
	t.ignored(w, hint, "the %s %s is not of the family of the instance, which is %s", what, w.Text, familyName(r.ipv6))
	return false
}

func familyName(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}

func (t *translation) nativeIPv6(n *Node) {
	if r := t.vrrp.router; r.familiar && !r.ipv6 {
		t.ignored(n.Word, "leave it out", "the instance is IPv4 by what comes before")
		return
	}
	t.vrrp.router.familiar, t.vrrp.router.ipv6 = true, true
	flag(t, n)
}

// host1 reads an address. A length behind it counts for nothing.
func (t *translation) host1(w Word) (netip.Addr, bool) {
	text, length, has := strings.Cut(w.Text, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		t.ignored(w, "write an IP address", "%q is no IP address", w.Text)
		return a, false
	}
	if has {
		t.Note(w.At, "", "/%s behind %s counts for nothing", length, text)
	}
	return a, true
}

func (t *translation) source(n *Node) {
	w, ok := t.word(n, "an address")
	if !ok {
		return
	}
	a, ok := t.host1(w)
	if !ok || !t.family(w, a.Is6(), "source", "an instance has one family") {
		return
	}
	t.drop("mcast_src_ip")
	t.drop("unicast_src_ip")
	t.put(n, n.Text, a.String())
}

func (t *translation) multicast(n *Node) {
	w, ok := t.word(n, "an address")
	if !ok {
		return
	}
	a, ok := t.host1(w)
	if !ok {
		return
	}
	if !a.IsMulticast() {
		t.ignored(w, "write one such as 224.0.0.18", "%s is no multicast address", w.Text)
		return
	}
	if t.family(w, a.Is6(), "multicast address", "an instance has one family") {
		t.put(n, n.Text, a.String())
	}
}

func (t *translation) oldChecksum(n *Node) {
	switch n.arg(0) {
	case "":
		t.put(n, n.Text, true)
	case "never":
		t.put(n, n.Text, "never")
	default:
		t.ignored(n.Args[0], "write never, or nothing", "%s is no way to sum", n.arg(0))
	}
}

func (t *translation) expired(n *Node) {
	if len(n.Args) == 0 {
		t.put(n, n.Text, true)
	} else if v, ok := t.whole(n, 1, 254); ok {
		t.put(n, n.Text, v)
	}
}

func (t *translation) extraIf(n *Node) {
	called, all := *n, ""
	if n.arg(0) == "all" {
		called.Args, all = n.Args[1:], "all "
	}
	switch v, ok := t.whole(&called, 0, 86400); {
	case !ok:
	case all != "" && v > 0:
		t.put(n, n.Text, all+called.arg(0))
	default:
		t.put(n, n.Text, v)
	}
}

func (t *translation) notifyDeleted(n *Node) {
	if len(n.Args) == 0 {
		if !t.has(n.Text) {
			t.put(n, n.Text, true)
		}
		return
	}
	if t.value(n.Text) == true {
		t.drop(n.Text)
	}
	notify(t, n)
}

func (t *translation) authentication(n *Node) {
	kind, pass := "", ""
	for _, k := range n.Block {
		switch k.Text {
		case "auth_type":
			if w, ok := t.word(k, "PASS or AH"); ok {
				if kind = w.Text; kind != "PASS" && kind != "AH" {
					t.ignored(w, "write PASS or AH", "%s is no auth_type", w.Text)
					kind = ""
				}
			}
		case "auth_pass":
			w, ok := t.word(k, "the password")
			if pass = w.Text; ok && len(pass) > 8 {
				t.Assume(w.At, "write 8 characters at most", "the password is longer than 8 characters: keepalived takes the first 8")
				pass = pass[:8]
			}
			if !utf8.ValidString(pass) {
				t.Error(w.At, "write ASCII on all directors", "the password has a character that takes more than a byte, and is cut or unknown")
			}
		}
	}
	switch {
	case kind == "" || pass == "":
		if kind != "" {
			t.Odd()
		}
		t.Warn(n.At, "write auth_type and auth_pass, or leave it out", "authentication needs both auth_type and auth_pass: keepalived takes none, and adverts have no password")
	default:
		name := t.vrrp.router.name
		t.vrrp.router.auth = func() {
			t.table(n, document.Header("vrrp_instance", name, n.Text), false, 1, func() {
				t.put(nil, "auth_type", kind)
				t.put(nil, "auth_pass", pass)
			})
		}
	}
}

func (t *translation) authHMAC(n *Node) {
	name := t.vrrp.router.name
	t.table(n, document.Header("vrrp_instance", name, n.Text), false, 1, func() {
		t.walk(n)
		if len(t.vrrp.keys) > 0 {
			t.put(nil, "key", document.Raw("{ "+strings.Join(t.vrrp.keys, ", ")+" }"))
		}
		t.vrrp.keys = nil
	})
}

// hmacKey reads one of the keys, which are one table in TOML. No message has a part of a key.
func (t *translation) hmacKey(n *Node) {
	if len(n.Args) < 2 {
		t.Error(n.At, "write key ID KEY", "a key needs an ID and the key")
		return
	}
	if _, ok := t.whole(n, 1, 255); ok {
		t.vrrp.keys = append(t.vrrp.keys, n.arg(0)+" = "+document.Quote(n.arg(1)))
	}
}
