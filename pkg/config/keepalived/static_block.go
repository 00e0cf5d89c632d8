package keepalived

import (
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// Blocks of lines at the top of a file: what a host has whatever its virtual routers do.
var staticScope = scope{"", []keyword{
	{"static_ipaddress", Honoured, "", (*translation).staticAddresses},
	{"static_routes", Honoured, "", (*translation).staticRoutes},
	{"static_rules", Honoured, "", (*translation).staticRules},
	{"track_group", Honoured, "", (*translation).trackGroup},
	{"linkbeat_interfaces", Honoured, "", (*translation).linkbeat},
	{"linkbeat_use_polling", Mapped, "all interfaces of instances are written to linkbeat_interfaces", (*translation).pollAll},
	{"interface_up_down_delays", Honoured, "", (*translation).upDownDelays},
	{"garp_group", Mapped, "keepalived's have no names: they are called group1, group2 and so on", (*translation).garpGroup},
}}

var trackGroupScope = scope{"track_group", []keyword{
	{"group", Honoured, "", nil}, // trackGroup reads it
}}

var garpGroupScope = scope{"garp_group", []keyword{
	{"garp_interval", Honoured, "", decimal(0.000001, 4294)},
	{"gna_interval", Honoured, "", decimal(0.000001, 4294)},
	{"interface", Mapped, "all are in the list interfaces", nil}, // garpGroup reads them
	{"interfaces", Honoured, "", nil},
}}

// Blocks whose lines have a form of their own.
var (
	staticAddressLines = scope{"static_ipaddress", nil}
	staticRouteLines   = scope{"static_routes", nil}
	staticRuleLines    = scope{"static_rules", nil}
	linkbeatLines      = scope{"linkbeat_interfaces", nil}
	delayLines         = scope{"interface_up_down_delays", nil}
	trackGroupLines    = scope{"track_group group", nil}
	garpLines          = scope{"garp_group interfaces", nil}
)

func (t *translation) staticAddresses(n *Node) {
	for _, line := range n.Block {
		s, addr, ok := t.address(line, true)
		if !ok {
			continue
		}
		s = t.knownGroup(s)
		dev := t.defaultInterface()
		if i := slices.IndexFunc(s, func(w Word) bool { return w.Text == "dev" }); i >= 0 {
			dev = s[i+1].Text
		} else if dev == "" {
			t.Note(line.At, "write dev, or default_interface in global_defs", "the address %s is on eth0, keepalived's default", addr)
			s = append(s, Word{Text: "dev"}, Word{Text: "eth0"})
			dev = "eth0"
		}
		if t.taken(line, "static "+dev, addr.String()) {
			continue
		}
		t.list(n, line, n.Text, s.String())
	}
}

func (t *translation) staticRoutes(n *Node) {
	for _, line := range n.Block {
		if s, ok := t.route(line, true); ok {
			t.list(n, line, n.Text, t.knownGroup(s).String())
		}
	}
}

func (t *translation) staticRules(n *Node) {
	for _, line := range n.Block {
		s, ok := t.rule(line)
		if !ok {
			continue
		}
		if cut, w := s.without("track_group"); w != nil {
			t.Note(w.At, "", "track_group changes nothing here: a static rule that goes is put back at once")
			s = cut
		}
		t.list(n, line, n.Text, s.String())
	}
}

// knownGroup leaves out a track_group that there isn't.
func (t *translation) knownGroup(s sentence) sentence {
	i := slices.IndexFunc(s, func(w Word) bool { return w.Text == "track_group" })
	if i < 0 || i+1 == len(s) {
		return s
	}
	for _, n := range t.root {
		if n.Text == "track_group" && n.arg(0) == s[i+1].Text && len(t.trackedBy(n, false)) > 0 {
			return s
		}
	}
	t.ignored(s[i+1], "write a track_group of that name", "there is no track_group %s with an instance", s[i+1].Text)
	return slices.Delete(slices.Clone(s), i, i+2)
}

// trackedBy returns the instances of a track_group that there are.
func (t *translation) trackedBy(n *Node, tell bool) (members []document.Item) {
	for _, block := range n.Block {
		if block.Text != "group" {
			continue
		}
		for _, w := range block.names() {
			switch {
			case !t.exists("vrrp_instance", w.Text):
				if tell {
					t.ignored(w, "write the name of a vrrp_instance", "there is no vrrp_instance %s", w.Text)
				}
			case slices.ContainsFunc(members, func(i document.Item) bool { return i.Value == plainName(w.Text) }):
			default:
				members = append(members, document.Item{At: w.At, Value: plainName(w.Text)})
			}
		}
	}
	return members
}

func (t *translation) trackGroup(n *Node) {
	if members := t.trackedBy(n, true); len(members) > 0 && t.first(n) {
		t.table(n, document.Header(n.Text, n.arg(0)), false, 0, func() { t.put(n, "group", members) })
	}
}

// names returns the words of a block of names, wherever they stand.
func (n *Node) names() (list []Word) {
	for _, line := range n.Block {
		list = append(list, line.sentence()...)
	}
	return list
}

func (t *translation) linkbeat(n *Node) {
	for _, line := range n.Block {
		how := line.arg(0)
		if how != "" && how != "MII" && how != "ETHTOOL" && how != "IOCTL" {
			t.ignored(line.Args[0], "write MII, ETHTOOL or IOCTL", "%s is no way to ask for a link", how)
			how = ""
		}
		t.poll(n, line, line.Text, how)
	}
}

// poll has an interface asked for its link.
func (t *translation) poll(n, line *Node, name, how string) {
	if t.vrrp.polled == nil {
		t.vrrp.polled = make(map[string]bool)
	}
	if t.vrrp.polled[name] {
		return
	}
	t.vrrp.polled[name] = true
	if how != "" {
		name += " " + how
	}
	t.list(n, line, "linkbeat_interfaces", name)
}

// pollOwn has the interface of an instance asked that has linkbeat_use_polling.
func (t *translation) pollOwn(n *Node) {
	polling, own := t.block(n, "linkbeat_use_polling"), t.block(n, "interface")
	if polling != nil && own != nil && own.arg(0) != "" {
		t.Assume(polling.At, "write linkbeat_interfaces with "+own.arg(0)+" in it", "linkbeat_use_polling is the old way to say linkbeat_interfaces")
		t.poll(polling, polling, own.arg(0), "")
	}
}

func (t *translation) pollAll(n *Node) {
	for _, i := range t.root {
		for _, k := range i.Block {
			if i.Text == "vrrp_instance" && k.Text == "interface" && k.arg(0) != "" {
				t.poll(n, n, k.arg(0), "")
			}
		}
	}
}

func (t *translation) upDownDelays(n *Node) {
	text := ""
	for _, line := range n.Block {
		var delay [2]string
		for i := range delay {
			called := Node{Word: line.Word, Args: line.Args[min(i, len(line.Args)):]}
			if i == 1 && len(called.Args) == 0 {
				delay[1] = "0" // keepalived.conf(5) has it that up is down then, but keepalived does so
				break
			}
			v, ok := t.decimal(&called, 0, 255)
			if !ok {
				break
			}
			delay[i] = plain(v)
		}
		if delay[0] == "" {
			continue
		}
		if delay[1] == "" {
			delay[1] = "0"
		}
		if text != "" {
			text += ", "
		}
		text += document.Key(line.Text) + " = { down = " + delay[0] + ", up = " + delay[1] + " }"
	}
	if text != "" {
		t.put(n, n.Text, document.Raw("{ "+text+" }"))
	}
}

func (t *translation) garpGroup(n *Node) {
	t.vrrp.garpGroups++
	header := document.Header(n.Text, "group"+plain(float64(t.vrrp.garpGroups)))
	delayed := false
	var names []document.Item
	for _, k := range n.Block {
		delayed = delayed || (k.Text == "garp_interval" || k.Text == "gna_interval") && k.arg(0) != "0"
		words := k.Args
		if k.Text == "interfaces" {
			words = k.names()
		} else if k.Text != "interface" {
			continue
		}
		for _, w := range words {
			if t.vrrp.paced[w.Text] {
				t.ignored(w, "leave it out", "%s is in a garp_group already", w.Text)
				continue
			}
			if t.vrrp.paced == nil {
				t.vrrp.paced = make(map[string]bool)
			}
			t.vrrp.paced[w.Text] = true
			names = append(names, document.Item{At: w.At, Value: w.Text})
		}
	}
	if !delayed || len(names) == 0 {
		t.ignored(n.Word, "write garp_interval, and interfaces", "the garp_group has no interval, or no interface")
		return
	}
	t.table(n, header, false, 0, func() {
		t.walk(n)
		t.put(n, "interfaces", names)
	})
}
