package keepalived

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// sentence is a line of words that package vip reads as a whole.
type sentence []Word

func (s sentence) String() string {
	texts := make([]string, len(s))
	for i, w := range s {
		texts[i] = w.Text
	}
	return strings.Join(texts, " ")
}

// at returns the word that stands at an offset of String.
func (s sentence) at(offset int) Word {
	for _, w := range s {
		if offset -= len(w.Text) + 1; offset < 0 {
			return w
		}
	}
	return s[0]
}

func (n *Node) sentence() sentence { return append(sentence{n.Word}, n.Args...) }

// refuse reports what package vip says of a line.
func (t *translation) refuse(s sentence, err error, comes string) {
	at := s[0]
	if broken, ok := errors.AsType[*vip.LineError](err); ok {
		at = s.at(broken.Offset)
	}
	t.Drop(at.At, "", "%s: %s", err, comes)
}

// addressOptions are the words of an address, with whether a value follows, and the only family that has them.
var addressOptions = map[string]struct {
	value  bool
	family byte // '4' or '6'; 0: both
}{
	"dev": {true, 0}, "scope": {true, '4'}, "brd": {true, '4'}, "broadcast": {true, '4'}, "label": {true, '4'}, "peer": {true, 0},
	"home": {false, '6'}, "-nodad": {false, '6'}, "mngtmpaddr": {false, '6'}, "noprefixroute": {}, "autojoin": {}, "no_track": {},
	"preferred_lft": {true, 0}, "use_vmac": {}, "track_group": {true, 0},
}

// address reads a line of virtual_ipaddress, virtual_ipaddress_excluded or static_ipaddress. Not ok is an address that keepalived
// leaves out; options that it takes no notice of are not in what is returned.
func (t *translation) address(n *Node, static bool) (s sentence, addr netip.Addr, ok bool) {
	all := n.sentence()
	first := all[0]
	host, length, lengthy := strings.Cut(first.Text, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" || addr.Is4In6() {
		t.ignored(first, "write an address, and the options behind it", "%q is no IP address", first.Text)
		return nil, addr, false
	}
	if n, err := strconv.ParseUint(length, 10, 8); lengthy && (err != nil || int(n) > addr.BitLen()) {
		t.Assume(first.At, "write /"+strconv.Itoa(addr.BitLen())+" or less", "%s has no length of a network: keepalived takes /%d", first.Text, addr.BitLen())
		first.Text, lengthy = host, false
	}
	s = sentence{first}
	for i := 1; i < len(all); i++ {
		w := all[i]
		option, known := addressOptions[w.Text]
		switch {
		case !known || w.Text == "use_vmac" && static || w.Text == "track_group" && !static:
			t.ignored(w, "leave it out", "%q is no option of the address %s here", w.Text, first.Text)
			continue
		case option.value && i+1 == len(all):
			t.Error(w.At, "write it, or leave the word out", "nothing follows %s: keepalived stops here", w.Text)
			return nil, addr, false
		}
		words := all[i : i+1]
		if option.value {
			words = all[i : i+2]
			i++
		}
		if keep, whole := t.addressOption(first, addr, words, option.family); !whole {
			return nil, addr, false
		} else if keep {
			s = append(s, words...)
		}
	}
	if lengthy && slices.ContainsFunc(s, func(w Word) bool { return w.Text == "peer" }) {
		t.ignored(first, "write "+host, "with a peer the address has no length")
		s[0].Text = host
	}
	if _, err := vip.ParseAddress(s.String()); err != nil {
		t.refuse(s, err, "the address is left out")
		return nil, addr, false
	}
	return s, addr, true
}

// addressOption says whether keepalived takes an option of an address, and whether it takes the address at all.
func (t *translation) addressOption(first Word, addr netip.Addr, words []Word, family byte) (keep, whole bool) {
	option := words[0]
	value := ""
	if len(words) > 1 {
		value = words[1].Text
	}
	switch {
	case addr.Is6() && (option.Text == "brd" || option.Text == "broadcast"):
		t.Drop(option.At, "leave brd out", "IPv6 has no broadcast: keepalived leaves the address %s out", first.Text)
		return false, false
	case addr.Is6() && family == '4':
		t.Note(option.At, "", "%s is for IPv4: keepalived takes no notice of it at %s", option.Text, first.Text)
		return false, true
	case addr.Is4() && family == '6':
		t.Note(option.At, "", "%s is for IPv6, and changes nothing at %s", option.Text, first.Text)
		return false, true
	}
	switch option.Text {
	case "label":
		if len(value) > 15 {
			t.Drop(words[1].At, "write 15 characters at most", "the label is longer than 15 characters: keepalived leaves the address %s out", first.Text)
			return false, false
		}
	case "brd", "broadcast":
		if _, err := vip.ParseAddress(first.Text + " brd " + value); err != nil {
			t.ignored(words[1], "leave brd out", "%s has no such broadcast address", first.Text)
			return false, true
		}
	case "scope":
		words[1].Text = t.named("scope", value)
		if _, err := vip.ParseAddress(first.Text + " scope " + words[1].Text); err != nil {
			t.ignored(words[1], "write global, site, link, host, or a number up to 255", "there is no scope %s", value)
			return false, true
		}
	case "peer":
		if peer, err := netip.ParseAddr(value); err != nil || peer.Is6() != addr.Is6() {
			t.ignored(words[1], "write an address without a length", "%s is no address that %s can have as a peer", value, first.Text)
			return false, true
		}
	case "preferred_lft":
		if _, err := strconv.ParseUint(value, 10, 32); err != nil && value != "forever" {
			t.ignored(words[1], "write forever, or a number of seconds", "%s is no time", value)
			return false, true
		}
	}
	return true, true
}

// nameFiles are where iproute2 has names for numbers, for keepalived and us.
var nameFiles = map[string]string{
	"table": "rt_tables", "lookup": "rt_tables", "scope": "rt_scopes", "protocol": "rt_protos", "tos": "rt_dsfield", "dsfield": "rt_dsfield",
	"realms": "rt_realms", "suppress_ifgroup": "group", "sup_group": "group",
}

// named returns the number that this host's iproute2 has for the value of an option; the value itself if it has none.
func (t *translation) named(option, value string) string {
	file, known := nameFiles[option]
	if _, err := strconv.ParseUint(value, 0, 32); !known || err == nil {
		return value
	}
	content, err := t.host.ReadFile("/etc/iproute2/" + file)
	if err != nil {
		return value
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[1] == value {
			if _, err := strconv.ParseUint(fields[0], 0, 32); err == nil {
				return fields[0]
			}
		}
	}
	return value
}
