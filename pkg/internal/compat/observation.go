package compat

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// observation is what can be seen of a director from outside, in lines that are sorted, by what they are about.
type observation map[string][]string

// aspects are what an observation has, in the order in which differences are told.
var aspects = []string{"services", "addresses", "routes", "rules", "adverts"}

// look is how the kernel is asked: with few processes, which are what User Mode Linux is slow with.
const look = `ipvsadm -Sn
echo ==; ip -o address show
echo ==
for family in -4 -6; do
	ip $family -batch - <<'END'
route show table all
rule show
END
done`

var (
	// volatile is what two hosts with the same configuration have different: numbers of interfaces, times that run down, and what is
	// printed of a peer in another namespace.
	volatile = regexp.MustCompile(`^\d+: |@if\d+|@NONE| ?\d+sec|link-netnsid \d+|expires \d+|\\`)
	// local are routes that the kernel adds by itself to addresses, and its own for multicast.
	local = regexp.MustCompile(`^(local|broadcast|multicast|anycast) |proto kernel|^unreachable .* dev lo|^ff00::/8`)
	blank = regexp.MustCompile(`\s+`)
	rule  = regexp.MustCompile(`^\d+:\t`)
)

// observe looks at a director.
func observe(h *lab.Host, adverts []string) (observation, error) {
	out, err := h.Output("sh", "-c", look)
	if err != nil {
		return nil, err
	}
	o := observation{"adverts": adverts}
	for i, part := range strings.Split(out, "==\n") {
		for line := range strings.Lines(part) {
			aspect := aspects[i]
			if rule.MatchString(line) {
				aspect = "rules"
			}
			line = strings.TrimSpace(blank.ReplaceAllString(volatile.ReplaceAllString(line, ""), " "))
			if line != "" && (aspect != "routes" || !local.MatchString(line)) {
				o[aspect] = append(o[aspect], line)
			}
		}
	}
	for _, lines := range o {
		slices.Sort(lines)
	}
	return o, nil
}

// differences returns in what two observations differ: "services -1 +2", and the lines, with a minus those that only the first
// has, with a plus those of the second.
func differences(first, second observation) (summary []string, lines string) {
	var b strings.Builder
	for _, a := range aspects {
		only := without(first[a], second[a])
		other := without(second[a], first[a])
		if len(only)+len(other) == 0 {
			continue
		}
		summary = append(summary, fmt.Sprintf("%s -%d +%d", a, len(only), len(other)))
		for _, l := range only {
			fmt.Fprintf(&b, "- %s\n", l)
		}
		for _, l := range other {
			fmt.Fprintf(&b, "+ %s\n", l)
		}
	}
	return summary, b.String()
}

// unordered is the observation without what tells which address of a network came first.
func unordered(o observation) observation {
	o = maps.Clone(o)
	o["addresses"] = slices.Clone(o["addresses"])
	for i, l := range o["addresses"] {
		o["addresses"][i] = strings.Replace(l, " secondary ", " ", 1)
	}
	return o
}

// without returns the lines of all that are not among some, each as often as it is missing.
func without(all, some []string) (missing []string) {
	some = slices.Clone(some)
	for _, l := range all {
		if i := slices.Index(some, l); i >= 0 {
			some = slices.Delete(some, i, i+1)
			continue
		}
		missing = append(missing, l)
	}
	return missing
}

// advertLine is what tcpdump -v shows of a packet of VRRP: the first line has its header, the second one the addresses.
var (
	ofPacket = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d+ .*\n(?:[ \t]+.*\n)*`)
	ofHex    = regexp.MustCompile(`(?m)^\s+0x[0-9a-f]{4}:  ((?:[0-9a-f]{2,4} ?)+)`)
)

// firstAdverts returns the bytes of the first advert of each virtual router, from the output of tcpdump -x: the header of IP but
// for its number and checksum, and all of VRRP. With AH, what is signed changes from one to the next.
func firstAdverts(output string) []string {
	seen := map[string]bool{}
	var adverts []string
	for _, packet := range ofPacket.FindAllString(output, -1) {
		var hex strings.Builder
		for _, m := range ofHex.FindAllStringSubmatch(packet, -1) {
			hex.WriteString(strings.ReplaceAll(m[1], " ", ""))
		}
		who, shown, ok := advert(hex.String())
		if !ok || seen[who] {
			continue
		}
		seen[who] = true
		adverts = append(adverts, shown)
	}
	slices.Sort(adverts)
	return adverts
}

// advert splits a packet in hexadecimal into what says who sends it to whom, and what is compared.
func advert(hex string) (who, shown string, ok bool) {
	switch {
	case len(hex) >= 2*28 && hex[0] == '4':
		header := 8 * int(hex[1]-'0')
		if header < 40 || len(hex) < header+16 {
			return "", "", false
		}
		body := hex[header:]
		protocol := hex[18:20]
		if protocol == "33" { // AH: next header, length, SPI; then its number and signature, 24 bytes in all
			if len(body) < 64 {
				return "", "", false
			}
			body = body[:16] + " " + body[48:]
			return hex[24:40] + body[len("0102030405060708 ")+2:][:2], hex[:4] + " ttl " + hex[16:18] + " " + hex[24:40] + " AH " + body, true
		}
		return hex[24:40] + body[2:4], hex[:4] + " ttl " + hex[16:18] + " " + hex[24:40] + " " + body, true
	case len(hex) >= 2*48 && hex[0] == '6':
		body := hex[80:]
		return hex[16:80] + body[2:4], hex[:2] + " hops " + hex[14:16] + " " + hex[16:80] + " " + body, true
	}
	return "", "", false
}
