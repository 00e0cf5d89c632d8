package keepalived

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

var routerGlobals = scope{"global_defs", []keyword{
	{"dynamic_interfaces", Honoured, "", remembered((*translation).dynamicInterfaces)},
	{"default_interface", Honoured, "", text},
	{"disable_local_igmp", Honoured, "", flag},
	{"v3_checksum_as_v2", Honoured, "", since},
	{"vrrp_version", Honoured, "", remembered(whole(2, 3))},
	{"vrrp_mcast_group4", Honoured, "", (*translation).multicastGroup},
	{"vrrp_mcast_group6", Honoured, "", (*translation).multicastGroup},
	{"vrrp_garp_master_delay", Honoured, "", loose(0, mostSeconds)},
	{"vrrp_garp_master_repeat", Honoured, "", loose(1, 1000)},
	{"vrrp_garp_master_refresh", Honoured, "", loose(0, mostSeconds)},
	{"vrrp_garp_master_refresh_repeat", Honoured, "", loose(1, 1000)},
	{"vrrp_garp_lower_prio_delay", Honoured, "", loose(0, mostSeconds)},
	{"vrrp_garp_lower_prio_repeat", Honoured, "", loose(0, 1000)},
	{"vrrp_garp_interval", Honoured, "", decimal(0.000001, 4294)},
	{"vrrp_gna_interval", Honoured, "", decimal(0.000001, 4294)},
	{"vrrp_min_garp", Honoured, "", since},
	{"vrrp_garp_extra_if", Honoured, "", (*translation).extraIf},
	{"vrrp_vmac_garp_intvl", Mapped, "the old name of vrrp_garp_extra_if", renamed("vrrp_garp_extra_if", (*translation).extraIf)},
	{"vrrp_lower_prio_no_advert", Honoured, "", boolean},
	{"vrrp_higher_prio_send_advert", Honoured, "", boolean},
	{"vrrp_down_timer_adverts", Honoured, "", whole(1, 100)},
	{"vrrp_startup_delay", Honoured, "", decimal(0, mostSeconds)},
	{"vrrp_delay_after_boot", Honoured, "", decimal(0, mostSeconds)},
	{"vrrp_check_unicast_src", Honoured, "", flag},
	{"vrrp_skip_check_adv_addr", Honoured, "", since},
	{"vrrp_strict", Honoured, "", remembered(since)},
	{"vrrp_owner_ignore_adverts", Honoured, "", boolean},
	{"log_unknown_vrids", Honoured, "", flag},
	{"vrrp_notify_priority_changes", Honoured, "", boolean},
	{"vrrp_rx_bufs_policy", Honoured, "", (*translation).bufferPolicy},
	{"vrrp_rx_bufs_multiplier", Honoured, "", loose(1, 1000)},
	{"vmac_prefix", Honoured, "", (*translation).prefix},
	{"vmac_addr_prefix", Honoured, "", (*translation).prefix},
	{"vrrp_priority", Honoured, "", whole(-20, 19)},
	{"vrrp_rt_priority", Honoured, "", loose(1, 99)},
	{"vrrp_no_swap", Honoured, "", flag},
	{"vrrp_cpu_affinity", Honoured, "", (*translation).processors},
	{"vrrp_rlimit_rttime", Idle, "the thread that sends adverts has no such limit", unused(whole(1, math.MaxUint32))},
	{"vrrp_rlimit_rtime", Idle, "the thread that sends adverts has no such limit", unused(whole(1, math.MaxUint32))},
	{"vrrp_notify_fifo", Honoured, "", (*translation).fifo},
	{"vrrp_notify_fifo_script", Honoured, "", fifoScript("vrrp_notify_fifo")},
	{"notify_fifo", Honoured, "", (*translation).fifo},
	{"notify_fifo_script", Honoured, "", fifoScript("notify_fifo")},
	{"fifo_write_vrrp_states_on_reload", Honoured, "", flag},
	{"lvs_sync_daemon", Honoured, "", (*translation).syncDaemon},
}}

// remembered keeps what a keyword of global_defs is set to for the instances.
func remembered(translate func(*translation, *Node)) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		translate(t, n)
		if t.vrrp.settings == nil {
			t.vrrp.settings = make(map[string]any)
		}
		t.vrrp.settings[n.Text] = t.value(n.Text)
	}
}

// defaultInterface is where static addresses are that don't say it.
func (t *translation) defaultInterface() string {
	dev := ""
	for _, n := range t.root {
		if n.Text == "global_defs" {
			if k := t.block(n, "default_interface"); k != nil {
				dev = k.arg(0)
			}
		}
	}
	return dev
}

func (t *translation) dynamicInterfaces(n *Node) {
	switch n.arg(0) {
	case "":
		t.put(n, n.Text, true)
	case "allow_if_changes":
		t.put(n, n.Text, n.arg(0))
	default:
		t.Assume(n.Args[0].At, "write allow_if_changes, or nothing", "%s is no option of dynamic_interfaces, which keepalived takes without it", n.arg(0))
		t.put(n, n.Text, true)
	}
}

func (t *translation) multicastGroup(n *Node) {
	w, ok := t.word(n, "an address")
	if !ok {
		return
	}
	six := strings.HasSuffix(n.Text, "6")
	if a, ok := t.host1(w); ok {
		if !a.IsMulticast() || a.Is6() != six || six && !a.IsLinkLocalMulticast() {
			t.ignored(w, "write one such as 224.0.0.18 or ff02::12", "%s is no multicast address for %s on one link", w.Text, familyName(six))
			return
		}
		t.put(n, n.Text, a.String())
	}
}

func (t *translation) bufferPolicy(n *Node) {
	w, ok := t.word(n, "MTU, ADVERT or a number")
	switch {
	case !ok:
	case w.Text == "MTU" || w.Text == "ADVERT":
		t.put(n, n.Text, w.Text)
	default:
		if v, err := strconv.ParseInt(w.Text, 10, 32); err == nil && v > 0 {
			t.put(n, n.Text, v)
		} else {
			t.ignored(w, "write MTU, ADVERT or a number of bytes", "%s is no size of a buffer", w.Text)
		}
	}
}

func (t *translation) prefix(n *Node) {
	w, ok := t.word(n, "a name")
	if ok && len(w.Text) > 8 {
		t.Error(w.At, "write 8 characters at most", "the prefix of interfaces is longer than 8 characters")
		return
	}
	if ok {
		t.put(n, n.Text, w.Text)
	}
}

func (t *translation) processors(n *Node) {
	var list []string
	for i := range n.Args {
		called := Node{Word: n.Word, Args: n.Args[i : i+1]}
		if v, ok := t.whole(&called, 0, 4095); ok {
			list = append(list, strconv.FormatInt(v, 10))
		}
	}
	if len(list) > 0 {
		t.put(n, n.Text, strings.Join(list, " "))
	}
}

// fifo reads a path, with a user and a group behind it.
func (t *translation) fifo(n *Node) {
	w, ok := t.word(n, "a path")
	switch {
	case !ok:
		return
	case !strings.HasPrefix(w.Text, "/"):
		t.skipped(w, "write a path that begins with a slash", "%s is no absolute path", w.Text)
		return
	case t.samePipe(n.Text, w.Text):
		t.ignored(w, "write another path, or leave one of them out", "notify_fifo and vrrp_notify_fifo are the same pipe, which would get each line twice")
		return
	case len(n.Args) > 1 && !t.account(n.Args[1], n.arg(1), n.arg(2)):
		t.ignored(n.Args[1], "write a user, and a group, that this host has", "there is no account %s", strings.TrimSpace(n.arg(1)+" "+n.arg(2)))
		return
	case len(n.Args) == 1:
		t.put(n, n.Text, w.Text)
		return
	}
	list := []string{w.Text}
	for _, a := range n.Args[1:min(len(n.Args), 3)] {
		list = append(list, a.Text)
	}
	t.put(n, n.Text, list)
}

// samePipe says whether the other keyword for a pipe has the same one.
func (t *translation) samePipe(keyword, path string) bool {
	for _, other := range []string{"notify_fifo", "vrrp_notify_fifo"} {
		if other == keyword || !t.has(other) {
			continue
		}
		switch v := t.value(other).(type) {
		case string:
			return v == path
		case []string:
			return v[0] == path
		}
	}
	return false
}

// fifoScript is the reader of a pipe, which there has to be.
func fifoScript(fifo string) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		for _, block := range t.root {
			if block.Text != "global_defs" {
				continue
			}
			if pipe := t.block(block, fifo); pipe != nil && strings.HasPrefix(pipe.arg(0), "/") {
				notify(t, n)
				return
			}
		}
		t.skipped(n.Word, "write "+fifo+" with it", "there is no %s to read from", fifo)
	}
}

// syncDaemon reads lvs_sync_daemon, whose words ipvsd takes in one text.
func (t *translation) syncDaemon(n *Node) {
	if _, ok := t.word(n, "an interface"); !ok {
		return
	}
	if t.has(n.Text) {
		t.ignored(n.Word, "leave one of them out", "there is a lvs_sync_daemon already")
		return
	}
	words := []string{n.arg(0)}
	limits := map[string][2]int64{"id": {0, 255}, "maxlen": {1, 65507}, "port": {1, 65535}, "ttl": {1, 255}}
	for i := 1; i < len(n.Args); i++ {
		w := n.Args[i]
		limit, number := limits[w.Text]
		called := Node{Word: w, Args: n.Args[i+1:]}
		switch {
		case number:
			i++
			if v, ok := t.whole(&called, limit[0], limit[1]); ok {
				words = append(words, w.Text, strconv.FormatInt(v, 10))
			}
		case w.Text == "group" || w.Text == "inst":
			i++
			if v, ok := t.word(&called, "a word"); ok && w.Text == "group" {
				words = append(words, w.Text, v.Text)
			} else if ok {
				words = t.follows(words, v)
			}
		case i == 1:
			words = t.follows(words, w)
		default:
			t.ignored(w, "write id, maxlen, port, ttl or group with a value", "%q is no option of lvs_sync_daemon", w.Text)
		}
	}
	t.put(n, n.Text, strings.Join(words, " "))
}

// follows adds the instance that a sync daemon follows.
func (t *translation) follows(words []string, w Word) []string {
	if !t.exists("vrrp_instance", w.Text) {
		t.ignored(w, "write the name of a vrrp_instance", "there is no vrrp_instance %s", w.Text)
		return words
	}
	return slices.Insert(words, 1, plainName(w.Text))
}

// oldSyncDaemon returns the first lvs_sync_daemon_interface, and its instance: what people wrote before there was lvs_sync_daemon.
func (t *translation) oldSyncDaemon() (n, instance *Node) {
	for _, i := range t.root {
		if i.Text != "vrrp_instance" || len(i.Args) == 0 {
			continue
		}
		if k := t.block(i, "lvs_sync_daemon_interface"); k != nil && len(k.Args) > 0 {
			return k, i
		}
	}
	return nil, nil
}

// syncsAsBefore writes lvs_sync_daemon for an instance that has lvs_sync_daemon_interface.
func (t *translation) syncsAsBefore() {
	if n, instance := t.oldSyncDaemon(); n != nil && !t.has("lvs_sync_daemon") {
		t.put(&Node{Word: n.Word}, "lvs_sync_daemon", n.arg(0)+" "+plainName(instance.arg(0)))
		t.Assume(n.At, "write lvs_sync_daemon "+n.arg(0)+" "+instance.arg(0)+" in global_defs", "lvs_sync_daemon_interface is the old way to say lvs_sync_daemon")
	}
}
