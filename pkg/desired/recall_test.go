package desired_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// A verdict of an earlier run holds as far as the table is as it would have it. What follows the verdicts, of real servers and behind a slash of
// sorry servers, is the table: N:WEIGHT each, or none where there is no such service. What is wanted: the verdicts that are left, and behind a slash
// the servers that are doubted.
func TestRecall(t *testing.T) {
	for _, tt := range []struct{ name, verdicts, table, want string }{
		{"all agree", "ud", "1:1", "ud/"},
		{"agreement is about clients, not weights", "uu", "1:7 2:3", "uu/"},
		{"inhibited", "ud", "1:1 2:0", "ud/"},
		{"down, says the record, and somebody put it back", "ud", "1:1 2:1", "u?/"},
		{"up, says the record, and it is out", "uu", "1:1", "u?/2"},
		{"up, says the record, and it is inhibited", "uu", "1:1 2:0", "u?/2"},
		{"nothing is on record of a server that is out", "u?", "1:1", "u?/2"},
		{"nothing is on record of a server that is in", "u?", "1:1 2:1", "u?/"},
		{"nothing is on record at all", "??", "1:1 2:0", "??/2"},
		{"the table is new", "ud", "none", "?d/"},
		{"the service has no server", "uu", "", "??/12"},
		{"sorry servers have the clients", "dd/u", "91:1", "dd/u"},
		{"sorry servers would have the clients of a new table", "dd/u", "none", "dd/?"},
		{"sorry servers are to have the clients, and have none", "dd/u", "", "dd/?91"},
		{"a sorry server is down, says the record, and has the clients", "dd/d", "91:1", "dd/?"},
		{"sorry servers have the clients, and a real server came back unwritten", "du/u", "91:1", "d?/u2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vs, verdicts := judged(tt.verdicts)
			for i := range vs.RealServers { // presumed alive, as keepalived does it
				id := vs.RealServers[i].Checks[0].Check()
				id.Alpha = false
				old := vs.RealServers[i].Checks[0]
				vs.RealServers[i].Checks[0] = id.ID()
				if k := verdicts[old]; k.State != health.Unchecked {
					verdicts[id.ID()] = checker(id.ID(), k.State)
				}
				delete(verdicts, old)
			}
			var table ipvs.Table
			if tt.table != "none" {
				s := ipvs.ServiceStatus{Service: web}
				for f := range strings.FieldsSeq(tt.table) {
					var n int
					var d ipvs.DestinationStatus
					if _, err := fmt.Sscanf(f, "%d:%d", &n, &d.Weight); err != nil {
						t.Fatal(err)
					}
					d.Addr = addr(fmt.Sprintf("198.51.100.%d:80", n))
					s.Destinations = append(s.Destinations, d)
				}
				table = append(table, s)
			}
			quorums := desired.Quorums{vs.Name: health.Up}
			doubted := desired.Recall([]*config.VirtualServer{vs}, desired.Facts{Verdicts: verdicts, Quorums: quorums, Now: noon}, table)
			var got, doubts strings.Builder
			for rs := range vs.Servers() {
				id := rs.Checks[0]
				state := map[health.State]string{health.Up: "u", health.Down: "d", health.Unchecked: "?"}[verdicts.Of(id).State]
				if strings.Contains(rs.Destination.Addr.String(), ".91:") {
					state = "/" + state
				}
				got.WriteString(state)
				if doubted[id] {
					fmt.Fprint(&doubts, rs.Destination.Addr.Addr().AsSlice()[3])
				}
			}
			if !strings.Contains(tt.verdicts, "/") {
				got.WriteString("/")
			}
			if got := got.String() + doubts.String(); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if _, kept := quorums[vs.Name]; kept != (strings.ReplaceAll(tt.want, "/", "") == strings.ReplaceAll(tt.verdicts, "/", "")) {
				t.Errorf("the quorum is kept: %v", kept)
			}
		})
	}
}

// A check may be of servers in several services. Where the table of one disproves its verdict, the others do not presume that the server lives: it is
// out of them.
func TestRecallOfSharedCheck(t *testing.T) {
	other := web
	other.ServiceKey = ipvs.AddressKey(ipvs.TCP, addr("192.0.2.2:80"))
	id := health.Check{FWMark: 1}.ID() // presumed alive
	rs := server("198.51.100.1:80", id)
	in := ipvs.ServiceStatus{Service: other}
	var d ipvs.DestinationStatus
	d.Addr, d.Weight = addr("198.51.100.1:80"), 1
	in.Destinations = append(in.Destinations, d)
	table := ipvs.Table{{Service: web}, in}
	for name, list := range map[string][]*config.VirtualServer{
		"two virtual servers": {
			{Name: "a", Services: []ipvs.Service{web}, RealServers: []config.RealServer{rs}, Quorum: health.Quorum{Needed: 1}},
			{Name: "b", Services: []ipvs.Service{other}, RealServers: []config.RealServer{rs}, Quorum: health.Quorum{Needed: 1}},
		},
		"one with two services": {
			{Name: "a", Services: []ipvs.Service{web, other}, RealServers: []config.RealServer{rs}, Quorum: health.Quorum{Needed: 1}},
		},
	} {
		verdicts := desired.Verdicts{id: checker(id, health.Down)}
		doubted := desired.Recall(list, desired.Facts{Verdicts: verdicts, Now: noon}, table)
		if _, kept := verdicts[id]; kept || !doubted[id] {
			t.Errorf("%s: the verdict is kept: %v, the check is doubted: %v", name, kept, doubted[id])
		}
	}
}
