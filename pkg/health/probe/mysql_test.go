package probe_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

const mysqlSalt = "abcdefghijklmnopqrst"

// mysqlServer is one that knows ipvsd's password, and two queries.
type mysqlServer struct {
	method   string // of the account
	greets   string // with another method
	cached   bool   // caching_sha2_password: the password is known
	tls      *tls.Config
	key      *rsa.PrivateKey
	database string
}

type packets struct {
	net.Conn
	seq byte
}

func (p *packets) send(b string) {
	p.Write(append([]byte{byte(len(b)), byte(len(b) >> 8), 0, p.seq}, b...))
	p.seq++
}

func (p *packets) get() ([]byte, bool) {
	var header [4]byte
	if _, err := io.ReadFull(p, header[:]); err != nil {
		return nil, false
	}
	p.seq = header[3] + 1
	b := make([]byte, int(header[0])|int(header[1])<<8)
	_, err := io.ReadFull(p, b)
	return b, err == nil
}

// serve speaks like a server of 8.0 as far as its documentation says what is sent.
func (s mysqlServer) serve(c net.Conn) {
	p := &packets{c, 0}
	flags := uint32(1<<0 | 1<<3 | 1<<9 | 1<<15 | 1<<19)
	if s.tls != nil {
		flags |= 1 << 11
	}
	greeting := append([]byte("\x0a8.0.36-fake\x00\x01\x00\x00\x00"+mysqlSalt[:8]+"\x00"), byte(flags), byte(flags>>8), 33, 2, 0, byte(flags>>16), byte(flags>>24), 21)
	greets := s.greets
	if greets == "" {
		greets = s.method
	}
	p.send(string(greeting) + string(make([]byte, 10)) + mysqlSalt[8:] + "\x00" + greets + "\x00")
	b, ok := p.get()
	if !ok || len(b) < 32 {
		return
	}
	encrypted := binary.LittleEndian.Uint32(b)&(1<<11) != 0
	if encrypted {
		secured := tls.Server(c, s.tls)
		if secured.Handshake() != nil {
			return
		}
		defer secured.Close()
		p.Conn = secured
		if b, ok = p.get(); !ok {
			return
		}
	}
	user, rest, _ := bytes.Cut(b[32:], []byte{0})
	proof, rest := rest[1:1+rest[0]], rest[1+rest[0]:]
	database, _, _ := bytes.Cut(rest, []byte{0})
	if greets != s.method {
		p.send("\xfe" + s.method + "\x00" + mysqlSalt + "\x00")
		if proof, ok = p.get(); !ok {
			return
		}
	}
	in := string(user) == "ipvsd" && hex.EncodeToString(proof) == proofs[s.method]
	if in && s.method == "caching_sha2_password" {
		if s.cached {
			p.send("\x01\x03")
		} else if in, ok = s.whole(p, encrypted); !ok {
			return
		}
	}
	if in && s.database != "" && string(database) != s.database {
		p.send("\xff\x19\x04#42000Unknown database '" + string(database) + "'")
		return
	}
	if !in {
		p.send("\xff\x15\x04#28000Access denied for user 'ipvsd'@'localhost' (using password: YES)")
		return
	}
	p.send("\x00\x00\x00\x02\x00\x00\x00")
	for {
		b, ok := p.get()
		if !ok || b[0] == 1 {
			return
		}
		switch string(b) {
		case "\x0e", "\x03do 0":
			p.send("\x00\x00\x00\x02\x00\x00\x00")
		case "\x03select 1", "\x03select 1 where false":
			p.send("\x01")
			p.send("\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00")
			p.send("\xfe\x00\x00\x02\x00")
			if string(b) == "\x03select 1" {
				p.send("\x011")
			}
			p.send("\xfe\x00\x00\x02\x00")
		case "\x03billions": // of columns
			p.send("\xfe\x00\x00\x00\x00\x02\x00\x00\x00")
		default:
			p.send("\xff\x28\x04#42000You have an error in your SQL syntax")
		}
	}
}

// whole asks for the password itself.
func (s mysqlServer) whole(p *packets, encrypted bool) (in, ok bool) {
	p.send("\x01\x04")
	b, ok := p.get()
	if !ok || encrypted {
		return string(b) == "s3cret\x00", ok
	}
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if string(b) != "\x02" || err != nil {
		return false, false
	}
	p.send("\x01" + string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if b, ok = p.get(); !ok {
		return false, false
	}
	plain, err := rsa.DecryptOAEP(sha1.New(), nil, s.key, b, nil)
	for i := range plain {
		plain[i] ^= mysqlSalt[i]
	}
	return err == nil && string(plain) == "s3cret\x00", true
}

// proofs is what a client that knows the password answers to mysqlSalt.
var proofs = func() map[string]string {
	one := sha1.Sum([]byte("s3cret"))
	two := sha1.Sum(one[:])
	mask := sha1.Sum(append([]byte(mysqlSalt), two[:]...))
	for i := range one {
		one[i] ^= mask[i]
	}
	first := sha256.Sum256([]byte("s3cret"))
	second := sha256.Sum256(first[:])
	wide := sha256.Sum256(append(second[:], mysqlSalt...))
	for i := range first {
		first[i] ^= wide[i]
	}
	return map[string]string{"mysql_native_password": hex.EncodeToString(one[:]), "caching_sha2_password": hex.EncodeToString(first[:])}
}()

func TestMySQLFaults(t *testing.T) {
	faults(t, of(health.MySQL{Login: "ipvsd", Password: password, Query: "select 1"}), mysqlServer{method: "mysql_native_password"}.serve)
}

func TestMySQL(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	config := &tls.Config{Certificates: []tls.Certificate{id.cert}}
	login := health.MySQL{Login: "ipvsd", Password: password}
	with := func(change func(*health.MySQL)) health.MySQL { s := login; change(&s); return s }
	query := func(text string) health.MySQL { return with(func(s *health.MySQL) { s.Query = text }) }
	secure := with(func(s *health.MySQL) { s.TLS = health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca} })
	native := mysqlServer{method: "mysql_native_password"}
	const denied = "login refused: 1045 Access denied for user 'ipvsd'@'localhost' (using password: YES)"
	verdicts(t, []verdict{
		{"ping", login, native.serve, ""},
		{"a query", query("select 1"), native.serve, ""},
		{"one without a row", query("select 1 where false"), native.serve, "query: there is no row"},
		{"one without rows", query("do 0"), native.serve, "query: there is no row"},
		{"a wrong one", query("elect 1"), native.serve, "query: 1064 You have an error in your SQL syntax"},
		{"billions of columns", query("billions"), native.serve, "query: no answer of MySQL"},
		{"a wrong password", with(func(s *health.MySQL) { s.Password.Text = "wrong" }), native.serve, denied},
		{"a database", with(func(s *health.MySQL) { s.Database = "shop" }), mysqlServer{method: native.method, database: "shop"}.serve, ""},
		{"another database", with(func(s *health.MySQL) { s.Database = "bank" }), mysqlServer{method: native.method, database: "shop"}.serve,
			"login refused: 1049 Unknown database 'bank'"},
		{"another method", login, mysqlServer{method: "mysql_native_password", greets: "caching_sha2_password"}.serve, ""},
		{"the other way", login, mysqlServer{method: "caching_sha2_password", greets: "mysql_native_password", cached: true}.serve, ""},
		{"an unknown method", login, mysqlServer{method: "client_ed25519", greets: "mysql_native_password"}.serve,
			`login refused: the account has the method "client_ed25519"; a check can only mysql_native_password and caching_sha2_password`},
		{"SHA2, cached", login, mysqlServer{method: "caching_sha2_password", cached: true}.serve, ""},
		{"SHA2, with a key", login, mysqlServer{method: "caching_sha2_password", key: key}.serve, ""},
		{"SHA2, a wrong password", with(func(s *health.MySQL) { s.Password.Text = "wrong" }), mysqlServer{method: "caching_sha2_password", key: key}.serve, denied},
		{"SHA2, in TLS", secure, mysqlServer{method: "caching_sha2_password", tls: config}.serve, ""},
		{"TLS", secure, mysqlServer{method: "mysql_native_password", tls: config}.serve, ""},
		{"no TLS", secure, native.serve, "the server has no TLS"},
		{"too many connections", login, says("\x17\x00\x00\x00\xff\x10\x04Too many connections"), "greeting: 1040 Too many connections"},
		{"a short greeting", login, says("\x02\x00\x00\x00\x0a\x00"), "greeting: no greeting of MySQL"},
		{"TLS from the start", with(func(s *health.MySQL) { s.TLS = health.TLS{Mode: health.Implicit, Verify: true, CA: id.ca} }), func(c net.Conn) {
			secured := tls.Server(c, config)
			mysqlServer{method: "caching_sha2_password", cached: true, tls: config}.serve(secured) // which could do TLS itself
			secured.Close()
		}, ""},
	})
}

// One byte of a good server's is another.
func TestMySQLMutants(t *testing.T) {
	mutants(t, of(health.MySQL{Login: "ipvsd", Password: password, Query: "select 1"}), mysqlServer{method: "caching_sha2_password", cached: true}.serve)
}

func FuzzMySQL(f *testing.F) {
	f.Add("\x02\x00\x00\x00\x0a\x00")
	f.Add("\x03\x00\x00\x00\xff\x10\x04")
	var said strings.Builder
	client, end := net.Pipe()
	go func() {
		mysqlServer{method: "mysql_native_password"}.serve(end)
		end.Close()
	}()
	b := make([]byte, 1000)
	if n, err := client.Read(b); err == nil {
		said.Write(b[:n])
	}
	client.Close()
	f.Add(said.String() + "\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x01\x01")
	f.Fuzz(func(t *testing.T, text string) {
		if err := probe.SpeakMySQL(strings.NewReader(text), "ipvsd", "s3cret", "select 1"); err == nil && len(text) < 60 {
			t.Errorf("%q is enough", text)
		}
	})
}
