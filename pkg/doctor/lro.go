package doctor

import "fmt"

// receiveOffload asks whether an interface joins packets in a way that can't be taken back when they are forwarded.
func receiveOffload(f *Facts, r *Report) {
	if len(f.services()) == 0 {
		return
	}
	for _, l := range f.Links {
		if !l.LRO || !l.Up {
			continue
		}
		r.found(Finding{
			ID: "lro", Severity: Problem, Where: l.Name,
			What: "The interface joins the packets that it receives (large receive offload).",
			Why:  "Joined packets are larger than the MTU, and IPVS can't send them on: they are dropped, and connections crawl. GRO, which does the same, can be taken back.",
			Mend: []string{fmt.Sprintf("ethtool -K %s lro off", word(l.Name))},
			Then: "Until the machine starts again; to keep it, GenericReceiveOffload and LargeReceiveOffload=no in a .link file of systemd, or ethtool's options of your network's configuration.",
		})
	}
}
