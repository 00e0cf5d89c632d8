package main

import "github.com/ipvsd/ipvsd/pkg/internal/bench/book"

// What figures of one processor can't show.
const busy = "both directors, clients and six servers share one processor, and a director that takes over does more than keepalived: it reads the connection table, tells of it, and looks at the whole IPVS table"

// Why a gap may be longer where fewer requests fail.
const instead = "where keepalived resets connections that it does not know, ipvsd is silent until it has heard of them: the longest time without an answer has a " +
	"retransmission of 200 ms in it, and no request fails (the table of failed requests)"

// aims are those of issues 2 to 7 that are figures. Issue 7 had none. Figures from before are those of contrib/bench/README.md.
var aims = []book.Aim{
	{Issue: 2, Wanted: "filling 500 x 20: 10 times as fast as keepalived", Chapter: "programming", Table: "time-500x20", Row: filling, Against: "keepalived", AtLeast: 10,
		Before: "19 x", Met: book.Met},
	{Issue: 2, Wanted: "a round when nothing changed: less than a tenth of programming", Chapter: "programming", Table: "share-500x20", Row: quietRound, AtMost: 0.1,
		Before: "0.06 to 0.09", Met: book.Met},
	{Issue: 2, Wanted: "such a round sends no command", Chapter: "programming", Table: "sent-500x20", Row: "all rounds", Zero: true, Worst: true,
		Before: "0", Met: book.Met},
	{Issue: 3, Wanted: "filling 1000 x 100: 10 times as fast as keepalived", Chapter: "programming", Table: "time-1000x100", Row: filling, Against: "keepalived", AtLeast: 10,
		Before: "18 x", Met: book.Met},
	{Issue: 3, Wanted: "filling 1000 x 100: 30 times as fast as `ipvsadm -R`", Chapter: "programming", Table: "time-1000x100", Row: filling, Against: "ipvsadm", AtLeast: 30,
		Before: "88 x", Met: book.Met},
	{Issue: 3, Wanted: "one weight by reload: under 5 % of keepalived's time (20 x)", Chapter: "programming", Table: "time-1000x100", Row: toWeight, Against: "keepalived", AtLeast: 20,
		Before: "16 x (6 %)", Met: book.Missed, Why: "what is left is mostly reading a file of 2 MB into new pages"},
	{Issue: 3, Wanted: "an edit of one weight among 100,000 servers writes one message", Before: "one (TestKernelOneChangeAmongMany)", Met: book.Met},
	{Issue: 4, Wanted: "CPU of a TCP check below keepalived's, 1,000 a second", Chapter: "checks", Table: cpuOfCheck, Row: loads[1].String(), Against: "keepalived", AtLeast: 1,
		Before: "1.2 x", Met: book.Met},
	{Issue: 4, Wanted: "then towards half of it", Chapter: "checks", Table: cpuOfCheck, Row: loads[1].String(), Against: "keepalived", AtLeast: 2,
		Before: "1.2 x", Met: book.Missed, Why: "the kernel's part and the TCP handshake, which both pay, are most of it; io_uring brought nothing once starts are batched (decision 0013)"},
	{Issue: 4, Wanted: "CPU of an HTTP check: no more than keepalived's", Before: "0.61, 0.69 and 0.66 of it (BenchmarkKernelHTTP)", Met: book.Met},
	{Issue: 4, Wanted: "a stopped server is out within 1.2 x delay_loop: 6 s by default", Chapter: "detection", Table: "gone", Row: "defaults: delay_loop 5, 1 of 1 servers", AtMost: 6, Worst: true,
		Before: "2.35 s, at most 5.07 s", Met: book.Met},
	{Issue: 4, Wanted: "within 3.6 s with delay_loop 3", Chapter: "detection", Table: "gone", Row: "delay_loop 3, 1 of 1 servers", AtMost: 3.6, Worst: true,
		Before: "1.12 s, at most 1.42 s", Met: book.Met},
	{Issue: 4, Wanted: "within 300 ms with delay_loop 0.1", Chapter: "detection", Table: "gone", Row: "delay_loop 0.1, 1 of 10 servers", AtMost: 0.3, Worst: true,
		Before: "192 ms, at most 221 ms", Met: book.Met},
	{Issue: 4, Wanted: "faster than the 8.2 s of scenario 2", Chapter: "detection", Table: "gone", Row: "scenario 2, crash, 1 of 2 servers", AtMost: 8.2, Worst: true,
		Before: "1.06 s", Met: book.Met},
	{Issue: 4, Wanted: "found again faster than the 4.6 s of scenario 2", Chapter: "detection", Table: "back", Row: "scenario 2, crash, 1 of 2 servers", AtMost: 4.6, Worst: true,
		Before: "507 ms", Met: book.Met},
	{Issue: 5, Wanted: "links cut, adverts every second: never worse than keepalived", Chapter: "failover", Table: "idle-1", Row: "links cut, HTTP", Against: "keepalived", AtLeast: 1,
		Before: "0.97 x", Met: book.Missed, Why: busy},
	{Issue: 5, Wanted: "the same every 0.1 s", Chapter: "failover", Table: "idle-0.1", Row: "links cut, HTTP", Against: "keepalived", AtLeast: 1,
		Before: "0.65 x", Met: book.Missed, Why: busy + "; the protocol has no part in it: first adverts come 361 ms after the last one with both"},
	{Issue: 5, Wanted: "kill -9, every second: never worse", Chapter: "failover", Table: "idle-1", Row: "kill -9, HTTP", Against: "keepalived", AtLeast: 1,
		Before: "2.5 x", Met: book.Met, Why: instead + "; " + busy},
	{Issue: 5, Wanted: "clean stop, every second: never worse", Chapter: "failover", Table: "idle-1", Row: "clean stop, HTTP", Against: "keepalived", AtLeast: 1,
		Before: "3.2 x", Met: book.Met, Why: busy},
	{Issue: 5, Wanted: "return, every second: never worse", Chapter: "failover", Table: "idle-1", Row: "start, return, HTTP", Against: "keepalived", AtLeast: 1,
		Before: "0.43 x", Met: book.Missed, Why: instead + "; " + busy},
	{Issue: 5, Wanted: "links cut, adverts every 0.01 s: at most 60 ms", Chapter: "failover", Table: "idle-0.01", Row: "links cut, HTTP", AtMost: 0.06,
		Before: "298 ms, keepalived 585 ms", Met: book.Missed, Why: "two daemons on one processor of User Mode Linux lose each other's adverts"},
	{Issue: 5, Wanted: "switchover: no failed request", Chapter: "failover", Table: "idle-1-failed", Row: "switchover", Zero: true,
		Before: "1 of 5,383; 0 of 17,403 in TestKernelHandovers on a quiet lab", Met: book.Partly, Why: "on a busy host a client's 2 s are over before its turn comes"},
	{Issue: 5, Wanted: "return: no failed request", Chapter: "failover", Table: "idle-1-failed", Row: "start, return", Zero: true,
		Before: "5 of 6,244; 0 of 17,403 in TestKernelHandovers on a quiet lab", Met: book.Partly, Why: "as before"},
	{Issue: 5, Wanted: "under load below a second where scenario 2 lost 29 s", Chapter: "failover", Table: "1000-requests-at-once-0.1", Row: "links cut, HTTP", AtMost: 1, Worst: true,
		Before: "364 ms, at most 611 ms", Met: book.Met, Why: "adverts every 0.1 s; see the spread"},
	{Issue: 5, Wanted: "1,000 instances at 1 s and 250 at 0.1 s: no late advert", Before: "0 of 20,000 and 0 of 50,000 (BenchmarkKernelAdverts)", Met: book.Met},
	{Issue: 6, Wanted: "2300 x 16 by one keepalived.conf: told beside keepalived's, from the start", Chapter: "drop-in", Table: "time-2300x16", Row: toFull, Against: "keepalived", AtLeast: 1,
		Before: "0.42 x", Met: book.Missed, Why: "TOML is made of the file, and all of it is looked at before anything is touched"},
	{Issue: 6, Wanted: "its reload", Chapter: "drop-in", Table: "time-2300x16", Row: toWeight, Against: "keepalived", AtLeast: 1,
		Before: "8.6 x to 19 x", Met: book.Met},
}
