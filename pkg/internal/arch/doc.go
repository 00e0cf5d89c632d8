// Package arch holds the architecture of this repository as a table, and the tests that keep the code to it. It has no
// code of its own, nothing imports it, and it starts no goroutines.
//
// The rule behind the table: a noun package is pure, its child does the IO. Look for a wrong decision in the noun, for
// a wrong packet or system call in its child. Nothing points upward: a driver never calls its owner.
//
// The kinds: main is a command; pure decides, without clock, files, sockets, goroutines, locks and logs; io touches
// the world; test helps tests, and only tests and packages of that kind may import it. The imports are those of our
// packages that the package's own files may have, written without pkg/; "all" is every pure and io package. A test may
// import what it likes. Behind a plus sign is what a pure package needs from elsewhere and the others may not have.
// Who adds, splits or merges a package changes its row in the same commit.
//
//	package             | kind | may import                                     | one line
//	cmd/ipvsd           | main | config control daemon script                   | flags, signals, exit code
//	cmd/ipvsctl         | main | choice counterpart config config/dialect config/dialect/dialecthost config/document connection control daemon doctor doctor/doctorhost event ipvs ipvs/ipvsproc realserver realserver/realserverhost status top | one file a verb
//	pkg/fault           | pure | + runtime                                      | a panic as an error of one answer or file
//	pkg/ipvs            | pure |                                                | services, servers, keys, flags, errors
//	pkg/ipvs/ipvsnl     | io   | ipvs                                           | generic netlink: snapshots, batches
//	pkg/ipvs/ipvsproc   | io   | ipvs                                           | sysctls, by way of /proc
//	pkg/ipvs/ipvstest   | test | ipvs                                           | a fake kernel with errnos and faults
//	pkg/admin           | pure |                                                | what the operator wants of servers
//	pkg/admin/exchange  | io   | admin config member status                     | tells other directors of it
//	pkg/admin/etcdboard | io   | admin etcd member                              | and has it in an etcd, where they look
//	pkg/audit           | pure |                                                | who did what by way of the API
//	pkg/audit/journal   | io   | audit                                          | keeps that in files
//	pkg/vip             | pure |                                                | addresses, routes, rules, their announcement
//	pkg/vip/vipnl       | io   | vip                                            | rtnetlink: watches, puts there, announces
//	pkg/vrrp            | pure |                                                | codec, checks, state machine, sync groups
//	pkg/vrrp/vrrpio     | io   | vip vrrp                                       | sockets and the thread that runs it
//	pkg/bfd             | pure |                                                | codec and sessions' state machine
//	pkg/bfd/bfdio       | io   | bfd                                            | sockets and the goroutine that runs it
//	pkg/track           | io   | bfd bfd/bfdio config health health/engine health/probe script vip vip/vipnl vrrp | watches what virtual routers depend on
//	pkg/failover        | io   | alert bfd config health script status track vip vip/vipnl vrrp vrrp/vrrpio | who is active, and what follows
//	pkg/alert           | pure | config status                                  | who is told of what, in which words
//	pkg/alert/outbox    | io   |                                                | keeps what is to be delivered
//	pkg/alert/smtp      | io   | alert alert/outbox config                      | hands over e-mail
//	pkg/alert/webhook   | io   | alert alert/outbox config                      | posts events
//	pkg/alert/teller    | io   | alert alert/outbox alert/smtp alert/webhook config fifo status | tells all of them, in order
//	pkg/fifo            | io   | config script                                  | lines for whoever reads a named pipe
//	pkg/script          | io   |                                                | runs the user's commands, in order
//	pkg/connection      | pure | ipvs                                           | reads, filters, counts connections
//	pkg/connection/relay | io  | connection ipvs                                | tells other directors of connections
//	pkg/health          | pure | + github.com/dlclark/regexp2                   | from results of probes to up and down
//	pkg/health/probe    | io   | fault health script                                  | one file a check type
//	pkg/health/engine   | io   | health health/probe                            | runs the checks when they are due
//	pkg/member          | pure | health + github.com/BurntSushi/toml            | who the members of virtual servers are, by what sources say
//	pkg/member/dnssource | io  | member                                         | members from DNS, while their records live
//	pkg/member/filesource | io | member                                         | members from the files of a directory
//	pkg/member/access   | io   | member                                         | how etcd and Consul know who asks
//	pkg/member/etcdsource | io | etcd member                                    | members from the keys of an etcd
//	pkg/etcd            | io   | member member/access                           | a client whose answers are bounded
//	pkg/member/consulsource | io | member member/access                         | members from the catalogue of a Consul
//	pkg/config          | pure | bfd health ipvs member vip vrrp + github.com/BurntSushi/toml net/mail       | TOML to Config, or diagnostics
//	pkg/config/document | pure | config                                         | foreign files as TOML, with their places
//	pkg/config/difference | pure | config                                      | what one configuration changes of another
//	pkg/config/keepalived | pure | config config/document vip                   | keepalived.conf to a document
//	pkg/config/ipvsadm  | pure | config config/document ipvs                   | ipvsadm -S lines to Config, and out
//	pkg/config/ldirectord | pure | config config/document                       | ldirectord.cf to a document
//	pkg/config/piranha  | pure | config/document config                         | lvs.cf to a document
//	pkg/config/dialect  | pure | config config/document config/ipvsadm config/keepalived config/ldirectord config/piranha fault | whose file it is, and loading it
//	pkg/config/dialect/dialecthost | io | config/document                    | what such a file asks of the machine
//	pkg/desired         | pure | admin config health ipvs vrrp                  | the state that the kernel should have
//	pkg/reconcile       | pure | desired ipvs + context                         | the ordered plan, and taking its steps
//	pkg/status          | pure | admin bfd config/difference health ipvs vip vrrp                          | the snapshot, as JSON and as text
//	pkg/counterpart     | pure | admin health status                            | what another director has otherwise
//	pkg/top             | pure | admin event health ipvs status + github.com/rivo/uniseg | the live view: its rows, keys, lines
//	pkg/metrics         | pure | admin bfd health ipvs status vrrp + github.com/prometheus/client_model/go | the Prometheus view of a snapshot
//	pkg/metrics/exporter | io  | metrics status                                 | serves it, and the process's own
//	pkg/doctor          | pure | ipvs status                                    | what is wrong with a machine, from facts
//	pkg/doctor/doctorhost | io | doctor ipvs ipvs/ipvsnl ipvs/ipvsproc status vip | gathers them, asks, listens
//	pkg/realserver      | pure |                                                | what a real server of DR or TUN lacks
//	pkg/realserver/realserverhost | io | realserver                            | prepares a machine, and puts it back
//	pkg/choice          | pure | connection ipvs status                         | which server a client would get, and why
//	pkg/dump            | pure | config health ipvs status vip vrrp              | the same as keepalived's dumps show it
//	pkg/event           | pure |                                                | what has happened: ring, queries, stream
//	pkg/event/feed      | io   | event                                          | shares the ring with those who watch
//	pkg/upgrade         | pure | admin desired event health member              | what a daemon tells the one that takes its place
//	pkg/upgrade/successor | io |                                                | starts that one, and the two talk
//	pkg/control         | io   | admin audit connection counterpart event fault ipvs status             | HTTP over a Unix socket, and TCP
//	pkg/web             | io   | admin control event health ipvs status        | the status page
//	pkg/daemon          | io   | all                                            | the goroutine that owns all state
//	pkg/manual          | test | internal/golden                                | manual pages from what the programs say
//	pkg/etcd/etcdtest   | test | etcd internal/authority member                 | a real one on loopback
//	pkg/internal/authority | test |                                             | signs certificates
//	pkg/internal/arch   | test |                                                | this table
//	pkg/internal/corpus | test |                                                | finds configuration files of the field
//	pkg/internal/golden | test |                                                | compares output with files in testdata
//	pkg/internal/lab    | test |                                                | hosts, servers, observers on a kernel
//	pkg/internal/ipvsd  | test | control internal/lab status                    | the real ipvsd and ipvsctl on a host
//	pkg/internal/table  | test | internal/ipvsd                                 | tests of the kernel's table
//	pkg/internal/traffic | test | internal/ipvsd                                | tests of what clients feel
//	pkg/internal/likeness | test | internal/ipvsd                               | tests beside keepalived and in pairs
//	pkg/internal/pair   | test | internal/lab                                   | two directors, ipvsd's or keepalived's
//	pkg/internal/compat | test | internal/lab                                   | ipvsd against keepalived, file by file
//	pkg/internal/bench/book | test |                                             | tables and plots of what was measured
//	pkg/internal/bench  | test | desired health health/engine health/probe internal/bench/book internal/lab internal/pair ipvs ipvs/ipvsnl reconcile | what make bench measures
//	pkg/internal/chaos  | pure | + math/rand/v2                                 | from a seed to faults, from what was seen to a verdict
//	pkg/internal/chaos/arena | test | internal/chaos internal/lab internal/pair  | what make chaos does
//	pkg/internal/demo   | test | internal/lab                                   | what make demo shows
package arch
