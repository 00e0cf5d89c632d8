//go:build kernel

package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// TestKernelHTTPAsKeepalived has keepalived judge what TestHTTPBehaviours judges. The verdicts are the same, but for those of which
// the table says why.
func TestKernelHTTPAsKeepalived(t *testing.T) {
	director := lab.NewHost(t, "director")
	verdicts := keepalivedSays(t, director, "HTTP_GET", len(behaviours), func(i int) (netip.AddrPort, health.HTTP) {
		return serveIn(t, director, respond(behaviours[i].answer)), behaviours[i].http
	})
	for i, b := range behaviours {
		up := b.want == ""
		switch {
		case b.keepalived == "" && verdicts[i] != up:
			t.Errorf("%s: keepalived has it up: %v; ours: %q", b.name, verdicts[i], b.want)
		case b.keepalived != "" && verdicts[i] == up:
			t.Errorf("%s: keepalived comes to the same verdict; the table has a reason why not: %s", b.name, b.keepalived)
		}
	}
}

// serveIn starts a server on the host's loopback until the test ends.
func serveIn(t *testing.T, h *lab.Host, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	var l net.Listener
	err := h.Do(func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(c)
				c.Close()
			}()
		}
	}()
	return addrOf(l)
}

// keepalivedSays runs keepalived on a host with a check of each of n servers, and returns which it leaves in the table.
func keepalivedSays(t *testing.T, h *lab.Host, kind string, n int, server func(int) (netip.AddrPort, health.HTTP)) []bool {
	t.Helper()
	var file strings.Builder
	file.WriteString("virtual_server 192.0.2.1 80 {\n delay_loop 60\n lb_algo rr\n lb_kind NAT\n protocol TCP\n")
	at := make([]netip.AddrPort, n)
	for i := range at {
		var s health.HTTP
		at[i], s = server(i)
		fmt.Fprintf(&file, " real_server %s %d {\n  %s {\n", at[i].Addr(), at[i].Port(), kind)
		fmt.Fprintf(&file, "   connect_timeout 3\n   retry 0\n   delay_before_retry 1\n   warmup 0\n   http_protocol %s\n", s.Protocol)
		if s.TLS.SNI != "" {
			file.WriteString("   enable_sni\n")
		}
		for u := range s.URLs.All() {
			fmt.Fprintf(&file, "   url {\n    path %s\n    status_code %s\n", u.Path, u.Status)
			if u.VirtualHost != "" {
				fmt.Fprintf(&file, "    virtualhost %s\n", u.VirtualHost)
			}
			if u.Digest != "" {
				fmt.Fprintf(&file, "    digest %s\n", u.Digest)
			}
			if r := u.Regex; r.Pattern != "" {
				fmt.Fprintf(&file, "    regex %q\n", r.Pattern)
				for name := range r.Options.All() {
					fmt.Fprintf(&file, "    regex_options %s\n", name)
				}
				for word, set := range map[string]bool{
					"regex_no_match": r.NoMatch,
					fmt.Sprint("regex_min_offset ", r.MinOffset): r.MinOffset > 0,
					fmt.Sprint("regex_max_offset ", r.MaxOffset): r.MaxOffset > 0,
				} {
					if set {
						fmt.Fprintf(&file, "    %s\n", word)
					}
				}
			}
			file.WriteString("   }\n")
		}
		file.WriteString("  }\n }\n")
	}
	file.WriteString("}\n")
	dir := t.TempDir()
	name := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(name, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	k := h.Start("keepalived", "--check", "--dont-fork", "--log-console", "--use-file", name,
		"--pid", filepath.Join(dir, "pid"), "--checkers_pid", filepath.Join(dir, "checkers"))
	lab.WaitFor(t, 2*time.Minute, "keepalived to have asked all servers", func() error {
		log := k.Log()
		for _, a := range at {
			service := fmt.Sprintf("[%s]:tcp:%d ", a.Addr(), a.Port())
			if !strings.Contains(log, "Web server "+service+"succeed") && !strings.Contains(log, "Removing service "+service) {
				return fmt.Errorf("nothing of %s", service)
			}
		}
		return nil
	})
	up := map[string]bool{}
	for _, row := range h.Table() {
		up[row.Server] = true
	}
	verdicts := make([]bool, n)
	for i, a := range at {
		verdicts[i] = up[a.String()]
	}
	if err := k.Stop(); err != nil {
		t.Error(err)
	}
	return verdicts
}

// authority signs certificates for the servers of a test.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, dir, name string) *authority {
	a := &authority{t: t, dir: dir}
	a.cert, a.key = a.issue(name, time.Now().AddDate(5, 0, 0), nil)
	return a
}

// issue makes a certificate, signed by an authority or, without one, by itself, and writes both it and its key to name.pem.
func (a *authority) issue(name string, until time.Time, by *authority, sites ...string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: sites,
		NotBefore: until.AddDate(-6, 0, 0), NotAfter: until,
		IsCA: len(sites) == 0, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(filepath.Join(a.dir, name+".pem"), text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// nginxTLS is servers that differ in their certificates and protocols.
const nginxTLS = `
daemon off; user root; worker_processes 1; pid DIR/pid;
events { worker_connections 64; }
http {
	access_log off;
	ssl_certificate DIR/good.pem; ssl_certificate_key DIR/good.pem;
	default_type text/plain;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	server { listen 80; location / { return 200 "$request_method $server_protocol $http_host"; } location /chunked { gzip on; gzip_min_length 1; ssi on; root DIR; } }
	server { listen 81 http2; location / { return 200 "$server_protocol"; } }
	server { listen 443 ssl http2; location / { return 200 "$server_protocol $ssl_server_name $http_host"; } }
	server { listen 444 ssl; ssl_certificate DIR/expired.pem; ssl_certificate_key DIR/expired.pem; location / { return 200 "$server_protocol"; } }
	server { listen 445 ssl; ssl_certificate DIR/other.pem; ssl_certificate_key DIR/other.pem; location / { return 200 "$server_protocol"; } }
	server { listen 446 ssl; ssl_certificate DIR/self.pem; ssl_certificate_key DIR/self.pem; location / { return 200 "$server_protocol"; } }
	server { listen 447 ssl; ssl_protocols TLSv1; ssl_ciphers DEFAULT@SECLEVEL=0; location / { return 200 "$ssl_protocol"; } }
	server { listen 448 ssl; ssl_client_certificate DIR/ca.pem; ssl_verify_client on; location / { return 200 "$ssl_client_s_dn"; } }
}
`

func TestKernelSSL(t *testing.T) {
	h := lab.NewHost(t, "web")
	dir := t.TempDir()
	past, next := time.Now().AddDate(0, 0, -3), time.Now().AddDate(1, 0, 0)
	ca := newAuthority(t, dir, "ca")
	ca.issue("good", next, ca, "www.example.org")
	ca.issue("expired", past, ca, "www.example.org")
	ca.issue("other", next, ca, "shop.example.org")
	ca.issue("self", next, nil, "www.example.org")
	ca.issue("client", next, ca, "director.example.org")
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(nginxTLS, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Start("nginx", "-e", "stderr", "-p", dir, "-c", file)
	lab.WaitFor(t, time.Minute, "nginx", func() error {
		_, err := h.Output("curl", "-sS", "http://127.0.0.1/")
		return err
	})

	site := func(u *health.URL) { u.VirtualHost = "www.example.org" }
	verify := health.TLS{Mode: health.Implicit, SNI: "www.example.org", Verify: true, CA: filepath.Join(dir, "ca.pem")}
	warned := verify
	warned.Expiry = 2 * 365 * 24 * time.Hour
	late := health.TLS{Mode: health.Implicit, Expiry: time.Hour}
	shown := verify
	shown.Cert = filepath.Join(dir, "client.pem")
	for _, test := range []struct {
		name          string
		port          uint16
		protocol      string
		tls           health.TLS
		body          string
		want, warning string
	}{
		{"plain, at its port", 80, "1.0", health.TLS{}, "^GET HTTP/1.0 www.example.org$", "", ""},
		{"plain 1.1", 80, "1.1", health.TLS{}, "^GET HTTP/1.1 www.example.org$", "", ""},
		{"h2 with prior knowledge", 81, "2", health.TLS{}, "^HTTP/2.0$", "", ""},
		{"h2", 443, "2", verify, "^HTTP/2.0 www.example.org", "", ""},
		{"h2 where there is none", 444, "2", health.TLS{Mode: health.Implicit}, "", "TLS: the server refuses: no application protocol", ""},
		{"good", 443, "1.0", verify, "^HTTP/1.0 www.example.org www.example.org$", "", ""},
		{"good, for a year", 443, "1.0", warned, "", "", "the certificate ends on " + next.UTC().Format(time.DateOnly)},
		{"expired", 444, "1.0", verify, "", "TLS: the certificate ended on " + past.UTC().Format(time.DateOnly), ""},
		{"expired, unverified", 444, "1.0", late, "", "", "the certificate ended on " + past.UTC().Format(time.DateOnly)},
		{"another name", 445, "1.0", verify, "", "TLS: the certificate is for shop.example.org, not for www.example.org", ""},
		{"self-signed", 446, "1.0", verify, "", "TLS: the certificate is signed by itself and isn't in " + filepath.Join(dir, "ca.pem"), ""},
		{"self-signed, unverified", 446, "1.0", health.TLS{Mode: health.Implicit}, "", "", ""},
		{"old", 447, "1.0", health.TLS{Mode: health.Implicit}, "^TLSv1$", "", ""},
		{"old, verified", 447, "1.0", verify, "", "TLS: the server refuses: protocol version not supported", ""},
		{"unknown to the server", 448, "1.0", verify, "", "/: 400 Bad Request; want 200-299", ""},
		{"known to the server", 448, "1.0", shown, "^CN=client$", "", ""},
		{"no TLS", 80, "1.0", verify, "", "TLS: the server does not speak it", ""},
		{"plain to TLS", 443, "1.0", health.TLS{}, "", "/: 400 Bad Request; want 200-299", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := page(site, regex(test.body))
			spec.Protocol, spec.TLS = test.protocol, test.tls
			var f health.Finding
			err := h.Do(func() (err error) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				f, err = probe.Probe(ctx, health.Check{Target: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), test.port),
					Timeout: patience, Spec: spec})
				return err
			})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != test.want || f.Warning != test.warning {
				t.Errorf("%q, warning %q\nwant %q, %q", got, f.Warning, test.want, test.warning)
			}
		})
	}

	// keepalived takes any certificate. Ours does so without verify: the verdicts are the same.
	ports := []uint16{443, 444, 445, 446, 448, 80}
	verdicts := keepalivedSays(t, h, "SSL_GET", len(ports), func(i int) (netip.AddrPort, health.HTTP) {
		spec := page(site)
		spec.TLS.SNI = "www.example.org"
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), ports[i]), spec
	})
	for i, port := range ports {
		spec := page(site)
		spec.TLS = health.TLS{Mode: health.Implicit, SNI: "www.example.org"}
		err := h.Do(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := probe.Probe(ctx, health.Check{Target: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), Timeout: patience, Spec: spec})
			return err
		})
		if (err == nil) != verdicts[i] {
			t.Errorf("port %d: keepalived has it up: %v; ours: %v", port, verdicts[i], err)
		}
	}
}
