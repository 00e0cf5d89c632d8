package probe_test

import (
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"net"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// pgServer is one that knows ipvsd's password and two queries. It wants the password by MD5, or as it is.
type pgServer struct {
	md5    bool
	tls    *tls.Config
	direct bool
}

func (s pgServer) serve(c net.Conn) {
	if s.direct {
		secured := tls.Server(c, s.tls)
		defer secured.Close()
		c = secured
	}
	b := pgproto3.NewBackend(c, c)
	hello, err := b.ReceiveStartupMessage()
	if _, asks := hello.(*pgproto3.SSLRequest); asks && s.tls == nil {
		c.Write([]byte("N"))
		return
	} else if asks {
		c.Write([]byte("S"))
		secured := tls.Server(c, s.tls)
		defer secured.Close()
		b = pgproto3.NewBackend(secured, secured)
		hello, err = b.ReceiveStartupMessage()
	}
	startup, is := hello.(*pgproto3.StartupMessage)
	if err != nil || !is {
		return
	}
	want := "s3cret"
	if s.md5 {
		digest := func(text string) string { sum := md5.Sum([]byte(text)); return hex.EncodeToString(sum[:]) }
		want = "md5" + digest(digest("s3cret"+startup.Parameters["user"])+"salt")
		b.Send(&pgproto3.AuthenticationMD5Password{Salt: [4]byte([]byte("salt"))})
		err = b.SetAuthType(pgproto3.AuthTypeMD5Password)
	} else {
		b.Send(&pgproto3.AuthenticationCleartextPassword{})
		err = b.SetAuthType(pgproto3.AuthTypeCleartextPassword)
	}
	if err != nil || b.Flush() != nil {
		return
	}
	message, err := b.Receive()
	given, is := message.(*pgproto3.PasswordMessage)
	switch {
	case err != nil || !is:
		return
	case given.Password != want || startup.Parameters["user"] != "ipvsd":
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "ipvsd"`})
	case startup.Parameters["database"] != "shop" || len(startup.Parameters) != 3:
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "3D000", Message: `database "bank" does not exist`})
	default:
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
	for b.Flush() == nil {
		message, err := b.Receive()
		query, is := message.(*pgproto3.Query)
		if err != nil || !is {
			return
		}
		column := pgproto3.FieldDescription{Name: []byte("x"), DataTypeOID: 23, DataTypeSize: 4, TypeModifier: -1}
		switch query.String {
		case "":
			b.Send(&pgproto3.EmptyQueryResponse{})
		case "select 1":
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{column}})
			b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("1")}})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		case "select 1 where false":
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{column}})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")})
		default:
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: "syntax error"})
		}
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

var pgSpec = health.PgSQL{Login: "ipvsd", Password: password, Database: "shop", Query: "select 1"}

func TestPgSQLFaults(t *testing.T) { faults(t, of(pgSpec), pgServer{}.serve) }

func TestPgSQLMutants(t *testing.T) { mutants(t, of(pgSpec), pgServer{md5: true}.serve) }

func TestPgSQL(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	config := &tls.Config{Certificates: []tls.Certificate{id.cert}}
	direct := &tls.Config{Certificates: []tls.Certificate{id.cert}, NextProtos: []string{"postgresql"}}
	with := func(change func(*health.PgSQL)) health.PgSQL { s := pgSpec; change(&s); return s }
	secure := with(func(s *health.PgSQL) { s.TLS = health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca} })
	verdicts(t, []verdict{
		{"a query", pgSpec, pgServer{}.serve, ""},
		{"an empty one", with(func(s *health.PgSQL) { s.Query = "" }), pgServer{}.serve, ""},
		{"MD5", pgSpec, pgServer{md5: true}.serve, ""},
		{"one without a row", with(func(s *health.PgSQL) { s.Query = "select 1 where false" }), pgServer{}.serve, "query: there is no row"},
		{"a wrong one", with(func(s *health.PgSQL) { s.Query = "elect 1" }), pgServer{}.serve, "query: ERROR: syntax error (SQLSTATE 42601)"},
		{"a wrong password", with(func(s *health.PgSQL) { s.Password.Text = "wrong" }), pgServer{}.serve,
			`login refused: FATAL: password authentication failed for user "ipvsd" (SQLSTATE 28P01)`},
		{"no database", with(func(s *health.PgSQL) { s.Database = "bank" }), pgServer{}.serve,
			`login refused: FATAL: database "bank" does not exist (SQLSTATE 3D000)`},
		{"TLS", secure, pgServer{tls: config}.serve, ""},
		{"no TLS", secure, pgServer{}.serve, "the server has no TLS"},
		{"TLS from the start", with(func(s *health.PgSQL) { s.TLS = health.TLS{Mode: health.Implicit, Verify: true, CA: id.ca} }),
			pgServer{tls: direct, direct: true}.serve, ""},
		{"not to be trusted", with(func(s *health.PgSQL) {
			s.TLS = health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca, Name: "db.example.net"}
		}),
			pgServer{tls: config}.serve, "TLS: the certificate is for localhost, www.example.org, 127.0.0.1 and 1 others, not for db.example.net"},
	})
}

// The client of PostgreSQL would listen to the environment and to files, some of which make it fail.
func TestPgSQLKnowsNothingOfTheEnvironment(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, name := range []string{".pgpass", ".pg_service.conf"} {
		if err := os.WriteFile(home+"/"+name, []byte("*:*:*:*:other\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"HOST", "PORT", "DATABASE", "USER", "PASSWORD", "PASSFILE", "APPNAME", "CONNECT_TIMEOUT", "SSLMODE", "SSLKEY",
		"SSLCERT", "SSLCERTMODE", "SSLSNI", "SSLROOTCERT", "SSLPASSWORD", "SSLNEGOTIATION", "TARGETSESSIONATTRS", "SERVICE", "SERVICEFILE",
		"TZ", "OPTIONS", "MINPROTOCOLVERSION", "MAXPROTOCOLVERSION", "CHANNELBINDING", "REQUIREAUTH"} {
		t.Setenv("PG"+name, "nonsense")
	}
	config, err := probe.PgConfig()
	if err != nil {
		t.Fatal(err)
	}
	if config.Password != "none" || config.ConnectTimeout != 0 || config.TLSConfig != nil || config.ValidateConnect != nil ||
		config.RequireAuth != "" || len(config.RuntimeParams) != 1 || len(config.Fallbacks) != 0 || config.KerberosSrvName != "" {
		t.Errorf("%+v", config)
	}
}
