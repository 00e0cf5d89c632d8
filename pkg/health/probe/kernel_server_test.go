//go:build kernel

package probe_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// real is a server of Debian's and what probes have to make of it.
type real struct {
	name  string
	start func(*lab.Host, netip.Addr) *lab.Server
	// checks returns what is checked, given the file with the server's certificate.
	checks func(ca string) []expectation
}

// expectation is a check and what it has to say.
type expectation struct {
	port uint16
	spec health.Spec
	want string // a part of the error; empty: it passes
}

const sitePage = "Pagina de Prueba\n"

func realServers() []real {
	good, bad := health.Secret{Text: lab.Password}, health.Secret{Text: "wrong"}
	return []real{
		{"nginx", newSite, siteChecks},
		{"bind9", lab.NewBind, func(string) []expectation {
			return []expectation{
				{53, health.DNS{Type: "A", Name: "www.lab.local"}, ""},
				{53, health.DNS{Type: "A", Name: "www.lab.local.", TCP: true}, ""},
				{53, health.DNS{Type: "SOA", Name: "lab.local"}, ""},
				{53, health.DNS{Type: "TXT", Name: "whoami.lab.local", Expect: health.Regex{Pattern: "bind9"}}, ""},
				{53, health.DNS{Type: "A", Name: "www.lab.local", Expect: health.Regex{Pattern: `^192\.168\.1\.202$`}}, ""},
				{53, health.DNS{Type: "A", Name: "www.lab.local", Expect: health.Regex{Pattern: `^10\.`}}, "192.168.1.202"},
				{53, health.DNS{Type: "A", Name: "nowhere.lab.local"}, "NXDOMAIN"},
				{53, health.DNS{Type: "SOA", Name: "."}, "REFUSED"},
			}
		}},
		{"postfix", lab.NewPostfix, func(ca string) []expectation {
			return []expectation{
				{25, health.SMTP{HeloName: "lab"}, ""},
				{25, health.SMTP{HeloName: "lab", TLS: startTLS(ca)}, ""},
				{587, health.SMTP{HeloName: "lab", TLS: startTLS(ca)}, ""},
				{465, health.SMTP{HeloName: "lab", TLS: implicit(ca)}, ""},
				{25, health.SMTP{HeloName: "not a name"}, "501"},
				{465, health.SMTP{HeloName: "lab", TLS: health.TLS{Mode: health.Implicit, Verify: true}}, "certificate"},
			}
		}},
		{"dovecot", lab.NewDovecot, func(ca string) []expectation {
			return []expectation{
				{143, health.IMAP{}, ""},
				{143, health.IMAP{Login: lab.Login, Password: good}, ""},
				{143, health.IMAP{Login: lab.Login, Password: good, TLS: startTLS(ca)}, ""},
				{993, health.IMAP{Login: lab.Login, Password: good, TLS: implicit(ca)}, ""},
				{143, health.IMAP{Login: lab.Login, Password: bad}, "Authentication failed"},
				{110, health.POP3{}, ""},
				{110, health.POP3{Login: lab.Login, Password: good}, ""},
				{110, health.POP3{Login: lab.Login, Password: good, TLS: startTLS(ca)}, ""},
				{995, health.POP3{Login: lab.Login, Password: good, TLS: implicit(ca)}, ""},
				{110, health.POP3{Login: lab.Login, Password: bad}, "Authentication failed"},
			}
		}},
		{"vsftpd", lab.NewVSFTPD, func(ca string) []expectation {
			return []expectation{
				{21, health.FTP{}, ""},
				{21, health.FTP{File: "ready"}, ""},
				{21, health.FTP{File: "ready", Expect: health.Regex{Pattern: "is OK"}, TLS: startTLS(ca)}, ""},
				{21, health.FTP{Login: lab.Login, Password: good, File: "ready", Expect: health.Regex{Pattern: "is OK"}}, ""},
				{21, health.FTP{Login: lab.Login, Password: good, TLS: startTLS(ca)}, ""},
				{21, health.FTP{Login: lab.Login, Password: bad}, "Login incorrect"},
				{21, health.FTP{File: "nothing"}, "550"},
				{21, health.FTP{File: "ready", Expect: health.Regex{Pattern: "not OK"}}, "does not match"},
			}
		}},
		{"slapd", lab.NewSLAPD, func(ca string) []expectation {
			const base, admin = "dc=lab,dc=local", "cn=lab,dc=lab,dc=local"
			return []expectation{
				{389, health.LDAP{}, ""},
				{389, health.LDAP{BaseDN: base, Expect: health.Regex{Pattern: "^dc=lab"}}, ""},
				{389, health.LDAP{BindDN: admin, Password: good, BaseDN: base}, ""},
				{389, health.LDAP{BindDN: admin, Password: good, BaseDN: base, TLS: startTLS(ca)}, ""},
				{636, health.LDAP{BindDN: admin, Password: good, BaseDN: base, TLS: implicit(ca)}, ""},
				{389, health.LDAP{BindDN: admin, Password: bad}, "Invalid Credentials"},
				{389, health.LDAP{BaseDN: "dc=nowhere"}, "No Such Object"},
				{389, health.LDAP{BaseDN: base, Expect: health.Regex{Pattern: "dc=other"}}, "does not match"},
			}
		}},
		{"mariadb", lab.NewMariaDB, func(ca string) []expectation {
			return []expectation{
				{3306, health.MySQL{Login: lab.Login, Password: good}, ""},
				{3306, health.MySQL{Login: lab.Login, Password: good, TLS: startTLS(ca)}, ""},
				{3306, health.MySQL{Login: lab.Login, Password: good, Database: "lab", Query: "SELECT * FROM backend"}, ""},
				{3306, health.MySQL{Login: lab.Login, Password: good, Database: "lab", Query: "SELECT * FROM empty"}, "no row"},
				{3306, health.MySQL{Login: lab.Login, Password: good, Database: "lab", Query: "SELECT * FROM gone"}, "doesn't exist"},
				{3306, health.MySQL{Login: lab.Login, Password: good, Database: "other"}, "Access denied"},
				{3306, health.MySQL{Login: lab.Login, Password: bad}, "Access denied"},
			}
		}},
		{"postgresql", lab.NewPostgreSQL, func(string) []expectation {
			return []expectation{
				{5432, health.PgSQL{Login: lab.Login, Password: good, Database: "lab"}, ""},
				{5432, health.PgSQL{Login: lab.Login, Password: good, Database: "lab", Query: "SELECT 1"}, ""},
				{5432, health.PgSQL{Login: lab.Login, Password: good, Database: "lab", Query: "SELECT 1 WHERE false"}, "no row"},
				{5432, health.PgSQL{Login: lab.Login, Password: good, Database: "lab", Query: "SELECT * FROM gone"}, "does not exist"},
				{5432, health.PgSQL{Login: lab.Login, Password: good, Database: "other"}, "does not exist"},
				{5432, health.PgSQL{Login: lab.Login, Password: bad, Database: "lab"}, "password authentication failed"},
			}
		}},
		{"freeradius", lab.NewFreeRADIUS, func(string) []expectation {
			secret := health.Secret{Text: lab.RADIUSSecret}
			return []expectation{
				{1812, health.RADIUS{Login: lab.Login, Password: good, Secret: secret}, ""},
				{1812, health.RADIUS{Login: lab.Login, Password: bad, Secret: secret}, "login refused"},
				{1812, health.RADIUS{Login: "nobody", Password: good, Secret: secret}, "login refused"},
			}
		}},
		{"redis", lab.NewRedis, func(ca string) []expectation {
			return []expectation{
				{6379, health.Redis{Password: good}, ""},
				{6379, health.Redis{Login: lab.Login, Password: good, Role: "master"}, ""},
				{6380, health.Redis{Login: lab.Login, Password: good, TLS: implicit(ca)}, ""},
				{6379, health.Redis{}, "NOAUTH"},
				{6379, health.Redis{Password: bad}, "WRONGPASS"},
				{6379, health.Redis{Password: good, Role: "slave"}, "master"},
			}
		}},
		{"grpc", newGRPC, func(string) []expectation {
			return []expectation{
				{50051, health.GRPC{}, ""},
				{50051, health.GRPC{Service: "shop"}, ""},
				{50051, health.GRPC{Service: "mail"}, "NOT_SERVING"},
				{50051, health.GRPC{Service: "bank"}, "unknown service"},
			}
		}},
	}
}

// servesGRPC is set for a process of this test that is a gRPC server.
const servesGRPC = "SERVES_GRPC"

// TestMain runs the tests, or a server for them.
func TestMain(m *testing.M) {
	if os.Getenv(servesGRPC) == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", ":50051")
	if err == nil {
		server, states := grpc.NewServer(), grpchealth.NewServer()
		for service, state := range serving {
			states.SetServingStatus(service, state)
		}
		healthpb.RegisterHealthServer(server, states)
		err = server.Serve(l)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// newGRPC prepares a gRPC server with the health service, a process like the others.
func newGRPC(h *lab.Host, at netip.Addr) *lab.Server {
	return lab.NewServer(h, netip.AddrPortFrom(at, 50051), "env", servesGRPC+"=1", os.Args[0])
}

func startTLS(ca string) health.TLS { return health.TLS{Mode: health.StartTLS, Verify: true, CA: ca} }
func implicit(ca string) health.TLS { return health.TLS{Mode: health.Implicit, Verify: true, CA: ca} }

func newSite(h *lab.Host, at netip.Addr) *lab.Server {
	s := lab.NewSite(h, at)
	s.Put("index.html", sitePage)
	s.Put("big", strings.Repeat(sitePage, 100_000))
	s.Put("health.json", `{"status": "ok", "checks": [{"name": "db", "ok": true}]}`)
	return s.Server
}

func siteChecks(ca string) []expectation {
	url := func(u health.URL) health.List[health.URL] {
		u.Method = "GET"
		if u.Path == "" {
			u.Path = "/"
		}
		if u.Status == (health.StatusSet{}) {
			u.Status = health.SuccessStatus()
		}
		return health.ListOf(u)
	}
	var moved health.StatusSet
	moved.Add(302, 302)
	sum := md5.Sum([]byte(sitePage))
	digest := hex.EncodeToString(sum[:])
	return []expectation{
		{80, health.HTTP{Protocol: "1.0", URLs: url(health.URL{Regex: health.Regex{Pattern: "de Prueba"}})}, ""},
		{80, health.HTTP{Protocol: "1.0C", URLs: url(health.URL{Digest: digest})}, ""},
		{80, health.HTTP{Protocol: "1.1", URLs: url(health.URL{Path: "/big"})}, ""},
		{80, health.HTTP{Protocol: "1.1", URLs: url(health.URL{Path: "/moved", Status: moved})}, ""},
		{80, health.HTTP{Protocol: "1.1", Follow: true, URLs: url(health.URL{Path: "/moved", Digest: digest})}, ""},
		{80, health.HTTP{Protocol: "1.1", URLs: url(health.URL{Path: "/health.json",
			JSON: health.ListOf(health.Assertion{Path: "status", Value: "ok"}, health.Assertion{Path: "checks.0.ok", Value: "true"})})}, ""},
		{443, health.HTTP{Protocol: "1.1", TLS: implicit(ca), URLs: url(health.URL{Digest: digest})}, ""},
		{443, health.HTTP{Protocol: "2", TLS: implicit(ca), URLs: url(health.URL{Digest: digest})}, ""},
		{80, health.HTTP{Protocol: "1.0", URLs: url(health.URL{Regex: health.Regex{Pattern: "de otra cosa"}})}, "regex"},
		{80, health.HTTP{Protocol: "1.0", URLs: url(health.URL{Digest: strings.Repeat("0", 32)})}, digest},
		{80, health.HTTP{Protocol: "1.1", URLs: url(health.URL{Path: "/nothing"})}, "404"},
		{80, health.HTTP{Protocol: "1.1", URLs: url(health.URL{Path: "/moved"})}, "302"},
		{80, health.HTTP{Protocol: "1.1", URLs: url(health.URL{Path: "/health.json",
			JSON: health.ListOf(health.Assertion{Path: "status", Value: "degraded"})})}, "status"},
		{80, health.HTTP{Protocol: "1.1", TLS: health.TLS{Mode: health.Implicit}, URLs: url(health.URL{})}, "TLS"},
		{443, health.HTTP{Protocol: "1.1", URLs: url(health.URL{})}, "400"},
		{443, health.HTTP{Protocol: "1.1", TLS: health.TLS{Mode: health.Implicit, Verify: true}, URLs: url(health.URL{})}, "certificate"},
		{443, health.HTTP{Protocol: "1.1", TLS: health.TLS{Mode: health.Implicit, Verify: true, CA: ca, Name: "other.example"},
			URLs: url(health.URL{})}, "other.example"},
	}
}

// Real servers pass as long as they are well, and if not the probe says why: with a wrong password or a wrong answer, stopped, and
// frozen. A server of another kind at the same port passes no check.
func TestKernelServers(t *testing.T) {
	network := lab.NewBridge(t, "network", 1500)
	lab.Here(t).Connect(network, "eth0", "192.0.2.1/24")
	type passing struct {
		name string
		health.Check
	}
	var all []passing
	ports := map[netip.AddrPort]string{}
	for i, r := range realServers() {
		h := lab.NewHost(t, r.name)
		at := netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)})
		h.Connect(network, "eth0", at.String()+"/24")
		s := r.start(h, at)
		s.Start()
		var pass []passing
		for _, e := range r.checks(s.CA) {
			c := health.Check{Target: netip.AddrPortFrom(at, e.port), Spec: e.spec}
			kind := reflect.TypeOf(e.spec).Name()
			if err := once(t, c, patience); err == nil != (e.want == "") || err != nil && !strings.Contains(err.Error(), e.want) {
				t.Errorf("%s, %+v: %v, want %q", r.name, e.spec, err, e.want)
			} else if err != nil {
				t.Logf("%s: %s: %v", r.name, kind, err)
			}
			if e.want == "" {
				pass = append(pass, passing{kind, c})
				ports[c.Target] = kind
			}
		}
		together := func(when string, limit time.Duration, want ...string) {
			t.Helper()
			var work sync.WaitGroup
			for _, p := range pass {
				work.Go(func() {
					err := once(t, p.Check, limit)
					for _, w := range want {
						if err != nil && strings.Contains(err.Error(), w) || err == nil && w == "" {
							return
						}
					}
					t.Errorf("%s %s, %+v: %v, want one of %q", when, r.name, p.Spec, err, want)
				})
			}
			work.Wait()
		}
		s.Freeze()
		together("frozen", time.Second, "no answer within 1s", "no complete answer within 1s")
		s.Thaw()
		s.Stop()
		together("stopped", patience, "connection refused")
		s.Start()
		together("started again", patience, "")
		all = append(all, pass...)
	}

	var work sync.WaitGroup
	for _, p := range all {
		for at, kind := range ports {
			if kind == p.name {
				continue
			}
			work.Go(func() {
				c := p.Check
				c.Target = at
				if err := once(t, c, 3*time.Second); err == nil {
					t.Errorf("%s passes where %s is served: %+v", p.name, kind, p.Spec)
				}
			})
		}
	}
	work.Wait()
}

// once probes with a limit.
func once(t *testing.T, c health.Check, limit time.Duration) error {
	c.Type, c.Timeout = fmt.Sprintf("%T", c.Spec), limit
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := probe.Probe(ctx, c)
	return err
}
