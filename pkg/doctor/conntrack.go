package doctor

import (
	"fmt"
	"math"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// conntrack asks whether netfilter knows of IPVS's connections where its rules are to change them.
func conntrack(f *Facts, r *Report) {
	on, known := f.sysctl("net/ipv4/vs/conntrack")
	if !known || on != 0 || len(f.SNAT) == 0 {
		return
	}
	for _, s := range f.services() {
		for i := range s.Servers {
			if !forwards(&s.Servers[i], ipvs.NAT) {
				continue
			}
			r.found(Finding{
				ID: "vs-conntrack", Severity: Warning, Where: "net.ipv4.vs.conntrack",
				What: fmt.Sprintf("The firewall changes sources (%s), and net.ipv4.vs.conntrack is 0.", some(f.SNAT)),
				Why: "Connections of IPVS are unknown to netfilter then, and such rules don't hold for them. Where they were made for them, as for clients " +
					"on the servers' network, the answers pass this director by. Where they were made for other traffic, nothing is wrong.",
				Mend: []string{set("net/ipv4/vs/conntrack", 1)}, Then: kept,
			})
			return
		}
	}
}

// tracked asks whether netfilter's table of connections is nearly full: what is new then is dropped.
func tracked(f *Facts, r *Report) {
	count, known := f.sysctl("net/netfilter/nf_conntrack_count")
	most, knownMost := f.sysctl("net/netfilter/nf_conntrack_max")
	const percent = 80
	if !known || !knownMost || most == 0 || count < most/100*percent+most%100*percent/100 {
		return
	}
	severity := Warning
	if count >= most {
		severity = Problem
	}
	r.found(Finding{
		ID: "conntrack-full", Severity: severity, Where: "net.netfilter.nf_conntrack_max",
		What: fmt.Sprintf("netfilter tracks %d connections, and can't track more than %d.", count, most),
		Why:  "When the table is full the kernel drops packets of new connections, also those that only pass (\"nf_conntrack: table full\" in dmesg).",
		Mend: []string{set("net/netfilter/nf_conntrack_max", min(max(4*most, 2*count), math.MaxInt32))},
		Then: "It is one limit for the whole machine, set outside of containers. A connection takes some 300 bytes. " + kept,
	})
}

// reuse asks what becomes of a client's port that comes again.
func reuse(f *Facts, r *Report) {
	mode, known := f.sysctl("net/ipv4/vs/conn_reuse_mode")
	if !known || len(f.services()) == 0 {
		return
	}
	release, err := ipvs.ParseRelease(f.Release)
	if err != nil {
		r.unseen("conn-reuse", "%v", err)
		return
	}
	// Linux 5.9 no longer drops the packet that begins a connection from a port used before ("ipvs: allow connection reuse for
	// unconfirmed conntrack").
	old := release.Compare(ipvs.Release{Major: 5, Minor: 9}) < 0
	on, _ := f.sysctl("net/ipv4/vs/conntrack")
	found := Finding{ID: "conn-reuse", Severity: Warning, Where: "net.ipv4.vs.conn_reuse_mode", Then: kept}
	switch {
	case mode == 0 && !(old && on != 0):
		found.What = "A new connection from a client's port that was used a moment ago goes to the server of the old one (conn_reuse_mode is 0)."
		found.Why = "Also if that server has weight 0: it never drains under clients with few ports, such as proxies, and a new server gets none of them."
		found.Mend = []string{set("net/ipv4/vs/conn_reuse_mode", 1)}
	case mode != 0 && old && on != 0:
		found.What = fmt.Sprintf("conn_reuse_mode is %s and conntrack is 1, on Linux %s.", strings.TrimSpace(f.Sysctls["net/ipv4/vs/conn_reuse_mode"]), release)
		found.Why = "Before Linux 5.9 the first packet of a connection from a port that was used a moment ago is dropped then: such clients wait a second."
		found.Mend = []string{set("net/ipv4/vs/conn_reuse_mode", 0)}
		found.Then = "Such clients then go to the server that they had before, whatever its weight. A newer kernel needs neither. " + kept
	default:
		return
	}
	r.found(found)
}
