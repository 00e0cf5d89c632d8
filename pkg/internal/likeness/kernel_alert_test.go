//go:build kernel

package likeness

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// mailbox is a mail server that keeps what matters of a mail in one line: who gets it, the subject, the mailer, the text's first line.
type mailbox struct {
	mu   sync.Mutex
	list []string
}

func newMailbox(t *testing.T, h *lab.Host) *mailbox {
	t.Helper()
	l, err := h.Listen("tcp", "127.0.0.1:25")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	m := new(mailbox)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go m.serve(c)
		}
	}()
	return m
}

// serve speaks as much SMTP as both tools need.
func (m *mailbox) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	say := func(line string) { _, _ = c.Write([]byte(line + "\r\n")) }
	say("220 sink")
	var to []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
		case "RCPT":
			to = append(to, strings.Trim(strings.TrimSpace(line[len("RCPT TO:"):]), "<>"))
			say("250 ok")
		case "DATA":
			say("354 go on")
			m.keep(strings.Join(to, ","), r)
			to = nil
			say("250 taken")
		case "EHLO":
			say("250-sink")
			say("250 8BITMIME")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (m *mailbox) keep(to string, r *bufio.Reader) {
	var subject, mailer, first string
	header := true
	for {
		line, err := r.ReadString('\n')
		line = strings.TrimSpace(line)
		switch rest, found := strings.CutPrefix(line, "Subject: "); {
		case err != nil || line == ".":
			if strings.HasPrefix(first, "=> Lost quorum") { // see contrib/decisions/0022
				first = "=> Lost quorum"
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			m.list = append(m.list, strings.Join([]string{to, subject, mailer, first}, "|"))
			return
		case header && line == "":
			header = false
		case header && found:
			subject = rest
		case header && strings.HasPrefix(line, "X-Mailer: "):
			mailer = line[len("X-Mailer: "):]
		case !header && first == "":
			first = line
		}
	}
}

// addressee is a tool's: its mails and its FIFO's lines.
type addressee struct {
	*lab.Host
	mail *mailbox
	fd   int
	text string
}

func newAddressee(t *testing.T, name, fifo string) *addressee {
	t.Helper()
	h := lab.NewHost(t, name)
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(fifo, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return &addressee{Host: h, mail: newMailbox(t, h), fd: fd}
}

// mails returns what was mailed, sorted since mails overtake each other.
func (a *addressee) mails() []string {
	a.mail.mu.Lock()
	defer a.mail.mu.Unlock()
	return slices.Sorted(slices.Values(a.mail.list))
}

func (a *addressee) lines() []string {
	b := make([]byte, 1<<16)
	if n, err := unix.Read(a.fd, b); err == nil {
		a.text += string(b[:n])
	}
	return strings.Split(strings.TrimSuffix(a.text, "\n"), "\n")
}

func (a *addressee) forget() {
	a.mail.mu.Lock()
	defer a.mail.mu.Unlock()
	a.mail.list, a.text = nil, ""
}

const alertingKeepalived = `
global_defs {
	router_id LVS_MAIN
	notification_email {
		one@example.com
		two@example.com
	}
	notification_email_from lvs@example.com
	smtp_server 127.0.0.1
	smtp_connect_timeout 30
	smtp_alert
	notify_fifo FIFO
	vrrp_version 3
}
vrrp_sync_group G1 {
	group {
		VI_1
		VI_2
	}
}
vrrp_instance VI_1 {
	interface eth1
	virtual_router_id 1
	priority 100
	advert_int 0.3
	virtual_ipaddress {
		10.0.0.100
	}
}
vrrp_instance VI_2 {
	interface eth1
	virtual_router_id 2
	priority 100
	advert_int 0.3
	smtp_alert off
	virtual_ipaddress {
		10.0.0.101
	}
}
virtual_server_group GRP {
	192.0.2.8 80
	192.0.2.9-10 81
}
virtual_server 192.0.2.1 80 {
	lb_algo rr
	lb_kind NAT
	protocol TCP
	delay_loop 1
	retry 0
	warmup 0.1
	quorum 2
	real_server 10.0.100.2 80 {
		TCP_CHECK { }
	}
	real_server 10.0.100.3 80 {
		TCP_CHECK { }
		TCP_CHECK {
			connect_port 81
		}
	}
	real_server 10.0.100.4 80 {
		smtp_alert off
		TCP_CHECK { }
	}
}
virtual_server group GRP {
	lb_algo rr
	lb_kind NAT
	protocol TCP
	delay_loop 1
	retry 0
	warmup 0.1
	real_server 10.0.100.2 80 {
		TCP_CHECK { }
	}
}
virtual_server fd00::100 80 {
	lb_algo rr
	lb_kind NAT
	protocol UDP
	delay_loop 1
	retry 0
	warmup 0.1
	smtp_alert off
	real_server fd00::2 80 {
		TCP_CHECK { }
	}
}
virtual_server fwmark 7 {
	lb_algo rr
	lb_kind NAT
	delay_loop 1
	retry 0
	warmup 0.1
	real_server 10.0.100.4 80 {
		TCP_CHECK { }
	}
}
`

const alertingIPVSD = `
[global_defs]
router_id = "LVS_MAIN"
notification_email = ["one@example.com", "two@example.com"]
notification_email_from = "lvs@example.com"
smtp_server = "127.0.0.1"
smtp_alert = true
notify_fifo = "FIFO"
vrrp_version = 3
[vrrp_sync_group.G1]
group = ["VI_1", "VI_2"]
[vrrp_instance.VI_1]
interface = "eth1"
virtual_router_id = 1
advert_int = 0.3
virtual_ipaddress = ["10.0.0.100"]
[vrrp_instance.VI_2]
interface = "eth1"
virtual_router_id = 2
advert_int = 0.3
smtp_alert = false
virtual_ipaddress = ["10.0.0.101"]
[virtual_server_group.GRP]
address = ["192.0.2.8:80", "192.0.2.9-10:81"]
[[virtual_server]]
address = "192.0.2.1:80"
lb_algo = "rr"
protocol = "TCP"
alpha = false
delay_loop = 1
retry = 0
quorum = 2
TCP_CHECK = true
real_servers = ["10.0.100.2:80"]
[[virtual_server.real_server]]
address = "10.0.100.3:80"
[[virtual_server.real_server.TCP_CHECK]]
[[virtual_server.real_server.TCP_CHECK]]
connect_port = 81
[[virtual_server.real_server]]
address = "10.0.100.4:80"
smtp_alert = false
[[virtual_server]]
group = "GRP"
lb_algo = "rr"
protocol = "TCP"
alpha = false
delay_loop = 1
retry = 0
TCP_CHECK = true
real_servers = ["10.0.100.2:80"]
[[virtual_server]]
address = "[fd00::100]:80"
lb_algo = "rr"
protocol = "UDP"
alpha = false
delay_loop = 1
retry = 0
smtp_alert = false
TCP_CHECK = true
real_servers = ["[fd00::2]:80"]
[[virtual_server]]
fwmark = 7
lb_algo = "rr"
alpha = false
delay_loop = 1
retry = 0
TCP_CHECK = true
real_servers = ["10.0.100.4:80"]
`

// withoutPart returns a configuration without what begins with one text, up to another.
func withoutPart(text, from, to string) string {
	before, rest, _ := strings.Cut(text, from)
	_, after, _ := strings.Cut(rest, to)
	return before + to + after
}

// TestKernelAlerts: keepalived and ipvsd, each on a director of its own before the same servers, send the same mails and write the same
// lines when servers die and return, when roles change, and when a service leaves the file.
func TestKernelAlerts(t *testing.T) {
	dir := t.TempDir()
	pipes := [2]string{filepath.Join(dir, "theirs"), filepath.Join(dir, "ours")}
	theirs, ours := newAddressee(t, "keepalived", pipes[0]), newAddressee(t, "ipvsd", pipes[1])
	internal := lab.NewBridge(t, "internal", 1500)
	servers := lab.NewHost(t, "servers")
	theirs.Connect(internal, "eth0", "10.0.100.101/24", "fd00::101/64")
	ours.Connect(internal, "eth0", "10.0.100.102/24", "fd00::102/64")
	servers.Connect(internal, "eth0", "10.0.100.2/24", "10.0.100.3/24", "10.0.100.4/24", "fd00::2/64")
	var outside [2]*lab.Bridge
	for i, h := range []*addressee{theirs, ours} { // apart, so that the directors don't hear each other
		outside[i] = lab.NewBridge(t, fmt.Sprintf("external%d", i), 1500)
		h.Connect(outside[i], "eth1", "10.0.0.1/24")
	}
	listen := func(addrs ...string) (stop func()) {
		t.Helper()
		var list []net.Listener
		for _, a := range addrs {
			l, err := servers.Listen("tcp", a)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, l)
			go func() {
				for c, err := l.Accept(); err == nil; c, err = l.Accept() {
					_ = c.Close()
				}
			}()
		}
		stop = func() {
			for _, l := range list {
				_ = l.Close()
			}
		}
		t.Cleanup(stop)
		return stop
	}
	listen("10.0.100.3:80", "10.0.100.4:80", "[fd00::2]:80")
	two, more := listen("10.0.100.2:80"), listen("10.0.100.3:81")

	conf := filepath.Join(dir, "keepalived.conf")
	write := func(text string) {
		if err := os.WriteFile(conf, []byte(strings.Replace(text, "FIFO", pipes[0], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(alertingKeepalived)
	keepalived := theirs.Start("keepalived", "-n", "-l", "-D", "-f", conf, "-p", filepath.Join(dir, "p"), "-r", filepath.Join(dir, "r"), "-c", filepath.Join(dir, "c"))
	text := strings.Replace(alertingIPVSD, "FIFO", pipes[1], 1)
	d := ipvsd.Start(t, ours.Host, text)

	// Both must say all that is wanted, and in the end nothing else.
	chapter := func(title string, mails, lines []string) {
		t.Helper()
		for i := range mails {
			mails[i] = "one@example.com,two@example.com|[LVS_MAIN] " + strings.Replace(mails[i], "|", "|Keepalived|", 1)
		}
		slices.Sort(mails)
		for _, a := range []*addressee{theirs, ours} {
			lab.WaitFor(t, ipvsd.Patience, title, func() error {
				got := a.lines()
				for _, l := range lines {
					if !slices.Contains(got, l) {
						return fmt.Errorf("no line %q of %q", l, got)
					}
				}
				if got := a.mails(); !slices.Equal(got, mails) {
					return fmt.Errorf("the mails are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(mails, "\n"))
				}
				return nil
			})
			if got := a.lines(); len(got) != len(lines) {
				t.Errorf("%s: lines\n%s\nwant\n%s", title, strings.Join(got, "\n"), strings.Join(lines, "\n"))
			}
		}
		for _, who := range []string{"[192.0.2.1]:tcp:80", "[GRP]:0", "[fd00::100]:udp:80", "7", "VI_1", "VI_2", "G1"} {
			if got, want := about(ours.lines(), who, false), about(theirs.lines(), who, false); !slices.Equal(got, want) {
				t.Errorf("%s: of %s there are the lines %q, keepalived's are %q", title, who, got, want)
			}
		}
		theirs.forget()
		ours.forget()
	}
	const succeed, failed = "|=> TCP CHECK succeed on service <=", "|=> TCP CHECK failed on service <="
	became := func(name, state, text string) string {
		return "VRRP " + name + " - Entering " + state + " state|=> " + text + " <="
	}
	const owning, notOwning = "VRRP Instance is now owning VRRP VIPs", "VRRP Instance is no longer owning VRRP VIPs"
	backup := []string{
		became("Instance VI_1", "BACKUP", notOwning), became("Group G1", "BACKUP", "All VRRP group instances are now in BACKUP state"),
		became("Instance VI_1", "MASTER", owning), became("Group G1", "MASTER", "All VRRP group instances are now in MASTER state"),
	}
	roles := []string{
		`INSTANCE "VI_1" BACKUP 100`, `INSTANCE "VI_2" BACKUP 100`, `GROUP "G1" BACKUP 0`,
		`INSTANCE "VI_1" MASTER 100`, `INSTANCE "VI_2" MASTER 100`, `GROUP "G1" MASTER 0`,
	}
	chapter("start", append([]string{
		"Virtualserver [192.0.2.1]:tcp:80 - UP|=> Starting with quorum up 2+0=2 <= 3 <=",
		"Virtualserver [GRP]:0 - UP|=> Starting with quorum up 1+0=1 <= 1 <=", "Virtualserver FWM 7 - UP|=> Starting with quorum up 1+0=1 <= 1 <=",
	}, backup...), append([]string{"VS [192.0.2.1]:tcp:80 UP", "VS [GRP]:0 UP", "VS [fd00::100]:udp:80 UP", "VS FWM 7 UP"}, roles...))

	two()
	chapter("a server dies", []string{
		"Realserver [10.0.100.2]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN" + failed,
		"Realserver [10.0.100.2]:tcp:80 of virtual server [GRP]:0 - DOWN" + failed, "Virtualserver [GRP]:0 - DOWN|=> Lost quorum",
	}, []string{"RS [10.0.100.2]:tcp:80 [192.0.2.1]:tcp:80 DOWN", "RS [10.0.100.2]:tcp:80 [GRP]:0 DOWN", "VS [GRP]:0 DOWN"})
	more()
	chapter("another one's second check fails", []string{
		"Realserver [10.0.100.3]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN" + failed, "Virtualserver [192.0.2.1]:tcp:80 - DOWN|=> Lost quorum",
	}, []string{"RS [10.0.100.3]:tcp:80 [192.0.2.1]:tcp:80 DOWN", "VS [192.0.2.1]:tcp:80 DOWN"})
	listen("10.0.100.2:80")
	chapter("the first returns", []string{
		"Realserver [10.0.100.2]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - UP" + succeed, "Virtualserver [192.0.2.1]:tcp:80 - UP|=> Gained quorum 2+0=2 <= 2 <=",
		"Realserver [10.0.100.2]:tcp:80 of virtual server [GRP]:0 - UP" + succeed, "Virtualserver [GRP]:0 - UP|=> Gained quorum 1+0=1 <= 1 <=",
	}, []string{"RS [10.0.100.2]:tcp:80 [192.0.2.1]:tcp:80 UP", "VS [192.0.2.1]:tcp:80 UP", "RS [10.0.100.2]:tcp:80 [GRP]:0 UP", "VS [GRP]:0 UP"})

	outside[0].Unplug(theirs.Host)
	outside[1].Unplug(ours.Host)
	chapter("a cable pulled", []string{
		became("Instance VI_1", "FAULT", notOwning), became("Group G1", "FAULT", "All VRRP group instances are now in FAULT state"),
	}, []string{`INSTANCE "VI_1" FAULT 100`, `INSTANCE "VI_2" FAULT 100`, `GROUP "G1" FAULT 0`})
	outside[0].Plug(theirs.Host)
	outside[1].Plug(ours.Host)
	chapter("and put in again", slices.Clone(backup), roles)

	write(withoutPart(alertingKeepalived, "virtual_server group GRP {", "virtual_server fd00::100"))
	if err := syscall.Kill(keepalived.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.Load(withoutPart(text, "[[virtual_server]]\ngroup = \"GRP\"", "[[virtual_server]]\naddress = \"[fd00"))
	chapter("a virtual server leaves", []string{
		"Realserver [10.0.100.2]:tcp:80 of virtual server [GRP]:0 - DOWN|=> Removing <=", "Virtualserver [GRP]:0 - DOWN|=> Lost quorum",
	}, []string{"RS [10.0.100.2]:tcp:80 [GRP]:0 DOWN", "VS [GRP]:0 DOWN"})
}
