package main

import "time"

// chapter is a part of the book.
type chapter struct {
	name, title string
	notes       []string
	runs        int           // in a boot
	limit       time.Duration // for a run, on a machine that has other work as well
	named       bool          // it is measured only where it is named
	measure     func(*run)
}

// oneProcessor is what readers of rates have to know.
const oneProcessor = "Client, director and servers share the lab's one processor. A rate is what that processor does for all of them together: it does not grow " +
	"with the servers, and what a director costs is what is missing from the rate. On machines of their own, servers add up."

// chapters are all there are, in the book's order.
var chapters = []chapter{
	{
		name: "programming", title: "Programming, reload, stop, snapshot, memory", runs: 5, limit: 8 * time.Minute, measure: measureProgramming,
		notes: []string{"Services with the same servers, no checks. Times are from exec or signal until an observer (moby/ipvs, every 5 ms, every 1 ms of up to 1,000 servers; what is shorter counts as " +
			"that) sees the last server, which all make last; that the table is complete is then checked with ipvsadm. ipvsadm fills by -R and reads by -Sn; ipvsd reads by its own client. keepalived has `lvs_flush_on_stop VS`, its fastest way to stop, ipvsd " +
			"`lvs_flush_on_stop`. Memory is Pss of all processes."},
	},
	{
		name: "growth", title: "Growth from 10 to 100,000 servers", runs: 3, limit: 10 * time.Minute, measure: measureGrowth,
		notes: []string{"As the chapter before, from 1 x 10 to 1000 x 100. ldirectord (checktype on: it checks nothing) runs ipvsadm several times for each server: with 100 it has one run in a boot, with " +
			"more it is left out."},
	},
	{
		name: "restart", title: "Start and restart", runs: 3, limit: 8 * time.Minute, measure: measureRestart,
		notes: []string{"A director with a full table, through which a client asks every 10 ms, is killed by SIGKILL. Its file is changed, one weight, and it is started again: from exec until the " +
			"table is as the file says. The failed requests are those from the kill to that moment. With checks, every server answers a TCP_CHECK, which comes every 60 s after the first."},
	},
	{
		name: "checks", title: "Health checks", runs: 3, limit: 15 * time.Minute, measure: measureChecks,
		notes: []string{"TCP checks over a bridge. CPU is what is missing from the time that is left to an idle process, so the kernel's part and the server's are in it; on a host that has " +
			"other work a figure is left out where the machine was as restless as it. System calls are strace's. ldirectord has no more than 100 servers, and one run in a boot: to start it runs ipvsadm six times for each."},
	},
	{
		name: "detection", title: "Detection and recovery", runs: 3, limit: 20 * time.Minute, measure: measureDetection,
		notes: []string{"One server dies at a random moment, and returns; a client asks every 10 ms. Until it is out of the kernel's table, until it is back, and the client's failed requests " +
			"until it was out. Scenario 2 is ldirectord's configuration of 2008 (checkinterval 2, checktimeout 10, quiescent), which took 8.2 s and 4.6 s there. ipvsd confirms a failure after a tenth of " +
			"delay_loop, keepalived after a second."},
	},
	{
		name: "failover", title: "Failover and switchover", runs: 3, limit: 20 * time.Minute, measure: measureFailover,
		notes: []string{"Scenario 1 with two directors: ipvsd on both, then keepalived on both, on the same hosts. Figures are the longest time without an answer that a client saw who asks every 10 ms, by HTTP " +
			"and by DNS, and the requests that failed (2 s without an answer is a failure). \"Links cut\" is without warning; \"kill -9\" leaves the addresses where they are; \"return\" and \"links back\" " +
			"are the first director taking its role again. A role that is not reached in 20 s is told in its cell. What else there is under " +
			"load is measured where it is asked for, such as by `scripts/bench -chapters failover -only \"disk and CPU stress,0.1\"`, and added."},
	},
	{
		name: "drop-in", title: "The same keepalived.conf", runs: 2, limit: 15 * time.Minute, measure: measureDropIn,
		notes: []string{"Both read the same file, of the size of keepalived's issue 2318: every server is one of its own, with a TCP_CHECK that passes. Where keepalived kills its checker at the stop, its table stays."},
	},
	{
		name: "web", title: "Scenario 1: web", runs: 3, limit: 15 * time.Minute, measure: measureWeb,
		notes: []string{oneProcessor, "`ab -c 1` to `-c 48` through a director of three nginx: a small page over HTTP and over HTTPS, and a page for which a server computes 1,000 digits of pi. ipvsd and keepalived program IPVS with " +
			"NAT, HAProxy and Pen (scenario 3) forward TCP on the same director. With the first two the kernel forwards: they differ by nothing but their checks."},
	},
	{
		name: "dns", title: "Scenario 1: DNS", runs: 3, limit: 6 * time.Minute, measure: measureDNS,
		notes: []string{oneProcessor, "`dnsperf -c N -q 100`: so many clients, of three bind9, with 100 queries under way in all at most: the time until an answer is mostly waiting behind others. " +
			"With fewer, dnsperf waits for its own timers here, whoever is asked. HAProxy forwards no UDP."},
	},
	{
		name: "scale", title: "Scenario 2: 2, 3, 4 web servers", runs: 3, limit: 10 * time.Minute, measure: measureScale,
		notes: []string{oneProcessor, "`ab -c 1000` through direct routing. The thesis of 2008 had 460, 648 and 1192 requests/s with 2, 3 and 4 servers, on machines of their own. So that more " +
			"servers can be seen to do more here, the second table has servers that answer 100 requests a second at most, by waiting."},
	},
	{
		name: "soak", title: "An hour of a thousand checks a second", runs: 1, limit: 75 * time.Minute, named: true, measure: measureSoak,
		notes: []string{"10 services with 100 servers, each checked every second by a TCP_CHECK. Every 2 s a server dies and the one before returns, every 20 s there is a reload with another weight, " +
			"every 5 s a server is drained and the drain ended, and the services are listed. Looked at every 10 s, told by the minute: all of it should be flat."},
	},
}
