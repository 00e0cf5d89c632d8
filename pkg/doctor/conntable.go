package doctor

import (
	"fmt"
	"math/bits"
)

const (
	// longChain is how many connections of one bucket the kernel may look at for each packet before that is worth a word.
	longChain = 4
	// leastBits and mostBits are what ip_vs takes for conn_tab_bits on all kernels.
	leastBits, mostBits = 8, 20
)

// connectionTable asks whether the connection table is large enough. Since Linux 7.1 it grows by itself.
func connectionTable(f *Facts, r *Report) {
	if _, grows := f.Sysctls["net/ipv4/vs/conn_lfactor"]; grows || f.Table == nil || f.Table.ConnBuckets == 0 {
		return
	}
	var flows uint64
	for _, s := range f.Table.Services {
		for _, server := range s.Servers {
			flows += uint64(server.ActiveConns) + uint64(server.InactiveConns)
		}
	}
	buckets := uint64(f.Table.ConnBuckets)
	if flows <= longChain*buckets {
		return
	}
	wish := min(max(bits.Len64(flows), leastBits), mostBits)
	if 1<<wish <= buckets {
		return // there is no larger one
	}
	r.found(Finding{
		ID: "conn-table-size", Severity: Warning, Where: "net.ipv4.vs",
		What: fmt.Sprintf("There are %d connections in a table of %d buckets.", flows, buckets),
		Why: fmt.Sprintf("For each packet the kernel looks at %d connections before it finds its own, and more with each that comes: processor time, then lost packets.",
			flows/buckets),
		Mend: []string{fmt.Sprintf("echo options ip_vs conn_tab_bits=%d >> /etc/modprobe.d/ip_vs.conf", wish)},
		Then: "It counts when ip_vs is loaded the next time: at the next start of the machine.",
	})
}
