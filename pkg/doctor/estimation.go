package doctor

// estimation asks whether the kernel counts.
func estimation(f *Facts, r *Report) {
	if on, known := f.sysctl("net/ipv4/vs/run_estimation"); !known || on != 0 {
		return
	}
	r.found(Finding{
		ID: "run-estimation", Severity: Warning, Where: "net.ipv4.vs.run_estimation",
		What: "The kernel adds nothing to the counters of services and servers, and computes no rates.",
		Why:  "What shows or watches traffic sees none: ipvsctl stats and rate, metrics, and what here tells by the counters whether servers answer.",
		Mend: []string{set("net/ipv4/vs/run_estimation", 1)},
		Then: "Before Linux 6.2 it takes time of one processor with thousands of servers, which is a reason to have it off. " + kept,
	})
}
