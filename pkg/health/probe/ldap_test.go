package probe_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// ldapServer is a directory with some entries.
type ldapServer struct {
	entries []string
	always  bool // it finds all, whatever is asked for
	tls     *tls.Config
}

func (s ldapServer) serve(c net.Conn) {
	for {
		p, err := ber.ReadPacket(c)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, request := p.Children[0].Value, p.Children[1]
		send := func(tag ber.Tag, children ...*ber.Packet) {
			answer := ber.NewSequence("")
			answer.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
			op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
			for _, child := range children {
				op.AppendChild(child)
			}
			answer.AppendChild(op)
			c.Write(answer.Bytes())
		}
		text := func(s string) *ber.Packet {
			return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
		}
		result := func(tag ber.Tag, code int, diagnosis string) {
			send(tag, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""), text(""), text(diagnosis))
		}
		switch request.Tag {
		case ldap.ApplicationExtendedRequest:
			if s.tls == nil {
				result(ldap.ApplicationExtendedResponse, ldap.LDAPResultProtocolError, "unsupported extended operation")
				continue
			}
			result(ldap.ApplicationExtendedResponse, 0, "")
			secured := tls.Server(c, s.tls)
			defer secured.Close()
			c = secured
		case ldap.ApplicationBindRequest:
			name, password := request.Children[1].Value.(string), request.Children[2].Data.String()
			if name == "" && password == "" || name == "cn=ipvsd" && password == "s3cret" {
				result(ldap.ApplicationBindResponse, 0, "")
			} else {
				result(ldap.ApplicationBindResponse, ldap.LDAPResultInvalidCredentials, "")
			}
		case ldap.ApplicationSearchRequest:
			found := false
			for _, dn := range s.entries {
				if s.always || dn == request.Children[0].Value.(string) {
					send(ldap.ApplicationSearchResultEntry, text(dn), ber.NewSequence(""))
					found = true
				}
			}
			if found || len(s.entries) == 0 {
				result(ldap.ApplicationSearchResultDone, 0, "")
			} else {
				result(ldap.ApplicationSearchResultDone, ldap.LDAPResultNoSuchObject, "")
			}
		default:
			return
		}
	}
}

var (
	ldapSpec  = health.LDAP{BindDN: "cn=ipvsd", Password: password, BaseDN: "dc=example,dc=org"}
	directory = ldapServer{entries: []string{"", "dc=example,dc=org"}}
)

func TestLDAPFaults(t *testing.T) { faults(t, of(ldapSpec), directory.serve) }

func TestLDAPMutants(t *testing.T) { mutants(t, of(ldapSpec), directory.serve) }

func TestLDAPFaultsInTLS(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	spec := ldapSpec
	spec.TLS = health.TLS{Mode: health.Implicit, Verify: true, CA: id.ca}
	faultsTLS(t, id, of(spec), directory.serve)
}

func TestLDAP(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	with := func(change func(*health.LDAP)) health.LDAP { s := ldapSpec; change(&s); return s }
	start := health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca}
	verdicts(t, []verdict{
		{"the root, anonymously", health.LDAP{}, directory.serve, ""},
		{"an entry", ldapSpec, directory.serve, ""},
		{"its name", with(func(s *health.LDAP) { s.Expect.Pattern = "^dc=example" }), directory.serve, ""},
		{"another name", with(func(s *health.LDAP) { s.Expect.Pattern = "^cn=" }), directory.serve, `"dc=example,dc=org" does not match the regex "^cn="`},
		{"no entry", with(func(s *health.LDAP) { s.BaseDN = "dc=example,dc=net" }), directory.serve, `search for "dc=example,dc=net": 32 No Such Object`},
		{"nothing at all", ldapSpec, ldapServer{}.serve, `search for "dc=example,dc=org": 0 entries; want 1`},
		{"two entries", ldapSpec, ldapServer{entries: []string{"a", "b"}, always: true}.serve, `search for "dc=example,dc=org": 2 entries; want 1`},
		{"a wrong password", with(func(s *health.LDAP) { s.Password.Text = "wrong" }), directory.serve, "login refused: 49 Invalid Credentials"},
		{"none", with(func(s *health.LDAP) { s.Password.Text = "" }), directory.serve, "login refused: a login without a password would be anonymous"},
		{"StartTLS", with(func(s *health.LDAP) { s.TLS = start }), ldapServer{entries: directory.entries,
			tls: &tls.Config{Certificates: []tls.Certificate{id.cert}}}.serve, ""},
		{"none of it", with(func(s *health.LDAP) { s.TLS = start }), directory.serve, "StartTLS: 2 Protocol Error: unsupported extended operation"},
	})
}
