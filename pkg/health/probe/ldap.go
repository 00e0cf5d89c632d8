package probe

import (
	"context"
	"errors"
	"fmt"
	"net"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// ldapLimit is how much a server may say, in bytes: an entry without its attributes. The client needs a hundred times as much memory.
const ldapLimit = 16 << 10

// LDAP binds and asks for an entry, of which it wants no more than the name.
func LDAP(ctx context.Context, c health.Check, s health.LDAP) (f health.Finding, err error) {
	password, err := reveal(s.Password)
	if err != nil {
		return f, err
	}
	if s.BindDN != "" && password == "" { // RFC 4513, 5.1.2
		return f, errors.New("login refused: a login without a password would be anonymous")
	}
	conn, err := dialTLS(ctx, c, ldapLimit, s.TLS, &f, startTLSofLDAP)
	if err != nil {
		return f, err
	}
	w := &witness{Conn: conn}
	client := ldap.NewConn(w, s.TLS.Mode != health.Plain)
	client.Start()
	defer client.Close()
	step(ctx, "bind as %q", s.BindDN)
	_, err = client.SimpleBind(&ldap.SimpleBindRequest{Username: s.BindDN, Password: password, AllowEmptyPassword: s.BindDN == ""})
	if err != nil {
		return f, w.testify(ctx, ldapAnswer("login refused", err))
	}
	step(ctx, "search for %q", s.BaseDN)
	found, err := client.Search(ldap.NewSearchRequest(s.BaseDN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 2, 0, false,
		"(objectClass=*)", []string{"1.1"}, nil))
	if err != nil {
		return f, w.testify(ctx, ldapAnswer(fmt.Sprintf("search for %q", s.BaseDN), err))
	}
	if len(found.Entries) != 1 {
		return f, fmt.Errorf("search for %q: %d entries; want 1", s.BaseDN, len(found.Entries))
	}
	step(ctx, "found %q", found.Entries[0].DN)
	return f, expect(s.Expect, []byte(found.Entries[0].DN))
}

// startTLSofLDAP asks for TLS (RFC 4511, 4.14).
func startTLSofLDAP(conn net.Conn) error {
	request := ber.NewSequence("")
	request.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, "message"))
	extended := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	extended.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", "StartTLS"))
	request.AppendChild(extended)
	if _, err := conn.Write(request.Bytes()); err != nil {
		return err
	}
	answer, err := ber.ReadPacket(conn)
	if err != nil {
		return err
	}
	return ldapAnswer("StartTLS", ldap.GetLDAPError(answer))
}

// ldapAnswer puts the server's answer into words, if err is one. Other errors stay as they are.
func ldapAnswer(what string, err error) error {
	var answer *ldap.Error
	if !errors.As(err, &answer) || answer.ResultCode >= ldap.ErrorNetwork {
		return err
	}
	text := fmt.Sprintf("%s: %d %s", what, answer.ResultCode, ldap.LDAPResultCodeMap[answer.ResultCode])
	if diagnosis := answer.Err.Error(); diagnosis != "" {
		text += ": " + diagnosis
	}
	return worded{text, err}
}
