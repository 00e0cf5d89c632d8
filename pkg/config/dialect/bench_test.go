package dialect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// generated writes a keepalived.conf with so many services and servers each, as the chapter drop-in of the benchmark book has it.
func generated(services, servers int) string {
	var b strings.Builder
	b.WriteString("global_defs {\nlvs_flush_on_stop VS\n}\n")
	for s := range services {
		fmt.Fprintf(&b, "virtual_server 10.1.%d.%d 80 {\nprotocol TCP\nlb_algo wrr\nlb_kind NAT\n", s/250, s%250+1)
		for r := range servers {
			n := s*servers + r
			fmt.Fprintf(&b, "real_server 10.2.%d.%d 80 {\nweight 1\nTCP_CHECK {\nconnect_timeout 30\n}\n}\n", n/250, n%250+1)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func BenchmarkLoad(b *testing.B) {
	text := generated(2300, 16)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r := new(Loader).Load("/etc/keepalived/keepalived.conf", text, host{}, document.Settings{})
		if r.Config == nil || len(r.Config.VirtualServers) != 2300 {
			b.Fatal(r.Format(r.Problems))
		}
	}
}
