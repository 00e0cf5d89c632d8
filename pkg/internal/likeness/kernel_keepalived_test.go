//go:build kernel

package likeness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// keepalivedConf and sameForIPVSD say the same. Its defaults that are not ours are written out.
const keepalivedConf = `
global_defs {
	router_id lab
}
virtual_server 192.0.2.1 80 {
	lb_algo wrr
	lb_kind NAT
	protocol TCP
	alpha
	delay_loop 1
	warmup 0.5
	retry 2
	delay_before_retry 0.5
	connect_timeout 3
	real_server 10.0.100.2 80 {
		TCP_CHECK { }
	}
	real_server 10.0.100.3 80 {
		weight 2
		TCP_CHECK { }
	}
	real_server 10.0.100.4 80 {
		weight 70000
		TCP_CHECK { }
	}
}
virtual_server 192.0.2.2 80 {
	lb_algo wlc
	lb_kind DR
	protocol TCP
	persistence_timeout 300
	persistence_granularity 255.255.255.0
	inhibit_on_failure
	delay_loop 1
	warmup 0.5
	real_server 10.0.100.2 80 {
		TCP_CHECK { }
	}
	real_server 10.0.100.4 80 {
		weight 4
		TCP_CHECK {
			retry 0
		}
	}
}
virtual_server 192.0.2.3 80 {
	lb_algo lc
	lb_kind TUN
	protocol TCP
	delay_loop 1
	warmup 0.5
	real_server 10.0.100.2 80 {
		uthreshold 100
		lthreshold 50
		TCP_CHECK { }
	}
	real_server 10.0.100.3 80 {
		lvs_method TUN type gue port 6080 csum
		TCP_CHECK { }
	}
	real_server 10.0.100.4 80 {
		lvs_method TUN type gre
		uthreshold 7
		TCP_CHECK { }
	}
}
virtual_server fwmark 7 {
	lb_algo sh
	sh-port
	sh-fallback
	lb_kind DR
	persistence_timeout 60
	delay_loop 1
	warmup 0.5
	real_server 10.0.100.2 0 {
		TCP_CHECK {
			connect_port 80
		}
	}
	real_server 10.0.100.4 0 {
		TCP_CHECK {
			connect_port 80
		}
	}
}
virtual_server 192.0.2.5 53 {
	lb_algo rr
	ops
	lb_kind NAT
	protocol UDP
	alpha
	delay_loop 1
	warmup 0.5
	real_server 10.0.100.2 5353 {
		TCP_CHECK {
			connect_port 80
		}
	}
	real_server 10.0.100.4 5353 {
		inhibit_on_failure
		TCP_CHECK {
			connect_port 80
		}
	}
}
virtual_server 2001:db8::6 80 {
	lb_algo mh
	mh-port
	mh-fallback
	lb_kind NAT
	protocol TCP
	alpha
	delay_loop 1
	warmup 0.5
	real_server fd00::2 80 {
		TCP_CHECK { }
	}
	real_server fd00::4 80 {
		TCP_CHECK { }
	}
}
`

const sameForIPVSD = `
[[virtual_server]]
address = "192.0.2.1:80"
lb_algo = "wrr"
lb_kind = "NAT"
protocol = "TCP"
delay_loop = 1
warmup = 0.5
retry = 2
delay_before_retry = 0.5
connect_timeout = 3
TCP_CHECK = true
real_servers = ["10.0.100.2:80"]
[[virtual_server.real_server]]
address = "10.0.100.3:80"
weight = 2
[[virtual_server.real_server]]
address = "10.0.100.4:80"
weight = 70000

[[virtual_server]]
address = "192.0.2.2:80"
lb_algo = "wlc"
lb_kind = "DR"
protocol = "TCP"
persistence_timeout = 300
persistence_granularity = "255.255.255.0"
inhibit_on_failure = true
alpha = false
delay_loop = 1
warmup = 0.5
TCP_CHECK = true
real_servers = ["10.0.100.2:80"]
[[virtual_server.real_server]]
address = "10.0.100.4:80"
weight = 4
retry = 0

[[virtual_server]]
address = "192.0.2.3:80"
lb_algo = "lc"
lb_kind = "TUN"
protocol = "TCP"
alpha = false
delay_loop = 1
warmup = 0.5
TCP_CHECK = true
[[virtual_server.real_server]]
address = "10.0.100.2:80"
uthreshold = 100
lthreshold = 50
[[virtual_server.real_server]]
address = "10.0.100.3:80"
lvs_method = "TUN type gue port 6080 csum"
[[virtual_server.real_server]]
address = "10.0.100.4:80"
lvs_method = "TUN type gre"
uthreshold = 7

[[virtual_server]]
fwmark = 7
lb_algo = "sh"
sh-port = true
sh-fallback = true
lb_kind = "DR"
persistence_timeout = 60
alpha = false
delay_loop = 1
warmup = 0.5
TCP_CHECK = { connect_port = 80 }
real_servers = ["10.0.100.2", "10.0.100.4"]

[[virtual_server]]
address = "192.0.2.5:53"
lb_algo = "rr"
ops = true
lb_kind = "NAT"
protocol = "UDP"
delay_loop = 1
warmup = 0.5
TCP_CHECK = { connect_port = 80 }
real_servers = ["10.0.100.2:5353"]
[[virtual_server.real_server]]
address = "10.0.100.4:5353"
inhibit_on_failure = true

[[virtual_server]]
address = "[2001:db8::6]:80"
lb_algo = "mh"
mh-port = true
mh-fallback = true
inhibit_on_failure = false
lb_kind = "NAT"
protocol = "TCP"
delay_loop = 1
warmup = 0.5
TCP_CHECK = true
real_servers = ["[fd00::2]:80", "[fd00::4]:80"]
`

// The table while all servers are up, and while number 4 is down.
const (
	allUp = `
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.3:80 -m -w 2
-a -t 192.0.2.1:80 -r 10.0.100.4:80 -m -w 70000
-A -t 192.0.2.2:80 -s wlc -p 300 -M 255.255.255.0
-a -t 192.0.2.2:80 -r 10.0.100.2:80 -g -w 1
-a -t 192.0.2.2:80 -r 10.0.100.4:80 -g -w 4
-A -t 192.0.2.3:80 -s lc
-a -t 192.0.2.3:80 -r 10.0.100.2:80 -i -w 1 --tun-type ipip
-a -t 192.0.2.3:80 -r 10.0.100.3:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.3:80 -r 10.0.100.4:80 -i -w 1 --tun-type gre --tun-nocsum
-A -u 192.0.2.5:53 -s rr -o
-a -u 192.0.2.5:53 -r 10.0.100.2:5353 -m -w 1
-a -u 192.0.2.5:53 -r 10.0.100.4:5353 -m -w 1
-A -t [2001:db8::6]:80 -s mh -b mh-fallback,mh-port
-a -t [2001:db8::6]:80 -r [fd00::2]:80 -m -w 1
-a -t [2001:db8::6]:80 -r [fd00::4]:80 -m -w 1
-A -f 7 -s sh -p 60 -b sh-fallback,sh-port
-a -f 7 -r 10.0.100.2:0 -g -w 1
-a -f 7 -r 10.0.100.4:0 -g -w 1
`
	fourDown = `
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.3:80 -m -w 2
-A -t 192.0.2.2:80 -s wlc -p 300 -M 255.255.255.0
-a -t 192.0.2.2:80 -r 10.0.100.2:80 -g -w 1
-a -t 192.0.2.2:80 -r 10.0.100.4:80 -g -w 0
-A -t 192.0.2.3:80 -s lc
-a -t 192.0.2.3:80 -r 10.0.100.2:80 -i -w 1 --tun-type ipip
-a -t 192.0.2.3:80 -r 10.0.100.3:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-A -u 192.0.2.5:53 -s rr -o
-a -u 192.0.2.5:53 -r 10.0.100.2:5353 -m -w 1
-a -u 192.0.2.5:53 -r 10.0.100.4:5353 -m -w 0
-A -t [2001:db8::6]:80 -s mh -b mh-fallback,mh-port
-a -t [2001:db8::6]:80 -r [fd00::2]:80 -m -w 1
-A -f 7 -s sh -p 60 -b sh-fallback,sh-port
-a -f 7 -r 10.0.100.2:0 -g -w 1
`
)

// Keepalived and ipvsd, each on a director of its own before the same servers, make the same table of the same
// configuration, at the start, when a server dies and when it comes back.
func TestKernelSameAsKeepalived(t *testing.T) {
	bridge := lab.NewBridge(t, "internal", 1500)
	servers, theirs, ours := lab.NewHost(t, "servers"), lab.NewHost(t, "keepalived"), lab.NewHost(t, "ipvsd")
	theirs.Connect(bridge, "eth0", "10.0.100.101/24", "fd00::101/64")
	ours.Connect(bridge, "eth0", "10.0.100.102/24", "fd00::102/64")
	servers.Connect(bridge, "eth0", "10.0.100.2/24", "10.0.100.3/24", "10.0.100.4/24", "fd00::2/64", "fd00::4/64")
	listen := func(addrs ...string) (stop func()) {
		t.Helper()
		var listeners []net.Listener
		for _, a := range addrs {
			l, err := servers.Listen("tcp", a)
			if err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, l)
			go func() {
				for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
					_ = conn.Close()
				}
			}()
		}
		stop = func() {
			for _, l := range listeners {
				_ = l.Close()
			}
		}
		t.Cleanup(stop)
		return stop
	}
	listen("10.0.100.2:80", "10.0.100.3:80", "[fd00::2]:80")
	four := []string{"10.0.100.4:80", "[fd00::4]:80"}

	dir := t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(keepalivedConf), 0o644); err != nil {
		t.Fatal(err)
	}
	theirs.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--check", "--use-file", conf,
		"--pid", filepath.Join(dir, "pid"), "--checkers_pid", filepath.Join(dir, "checkers"))
	ipvsd.Start(t, ours, sameForIPVSD)
	both := func(when, table string) {
		t.Helper()
		ipvsd.WaitSaved(t, theirs, table)
		ipvsd.WaitSaved(t, ours, table)
		for _, listing := range []string{"--thresholds", "--tun-info"} {
			if a, b := fmt.Sprint(theirs.Table(listing)), fmt.Sprint(ours.Table(listing)); a != b {
				t.Errorf("%s ipvsadm -Ln %s shows\n%s\nwith keepalived, and\n%s\nwith ipvsd", when, listing, a, b)
			}
		}
	}
	both("after a start without the fourth server", fourDown)
	stop := listen(four...)
	both("after it came", allUp)
	stop()
	both("after it died", fourDown)
	listen(four...)
	both("after it came back", allUp)
	if rows := fmt.Sprint(ours.Table("--thresholds")); !strings.Contains(rows, "-> 10.0.100.2:80 100 50 0 0") {
		t.Errorf("ipvsadm -Ln --thresholds shows %s, want 100 and 50 somewhere", rows)
	}
}
