package config

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// sslDefaults are the table SSL: what SSL_GET takes if it says nothing itself.
type sslDefaults struct{ ca, certificate, key string }

func (r *report) sslDefaults(b *block) (s sslDefaults) {
	if b == nil {
		return s
	}
	s.ca, _ = lookup[string]("ca", b)
	s.certificate, _ = lookup[string]("certificate", b)
	s.key, _ = lookup[string]("key", b)
	if v := b.value("key"); v != nil && b.lacks("certificate") {
		r.fail(v.key, "add certificate", "key works only with certificate")
	}
	if s.key == "" {
		s.key = s.certificate
	}
	return s
}

// tls resolves how a check is encrypted; sni is the server name to ask for if the check has no keyword of that name.
func (c *chain) tls(sni string) (t health.TLS) {
	about := []string{"tls_verify", "tls_name", "tls_ca", "tls_certificate", "tls_key", "tls_expiry", "sni"}
	var on *value
	if c.kind.in == inSSL {
		t.Mode, t.SNI = health.Implicit, sni
	} else {
		var how any
		how, on = own[any](c, "tls")
		switch {
		case how == "starttls", how == true && c.kind.in&inSQL != 0: // databases speak of it first, as a rule
			t.Mode = health.StartTLS
		case how == true, how == "direct":
			t.Mode = health.Implicit
		}
		t.SNI, _ = own[string](c, "sni")
	}
	if t.Mode == health.Plain {
		c.idle("tls", on, "add tls = true", about...)
		return health.TLS{}
	}
	verify, verified := own[bool](c, "tls_verify")
	if t.Verify = verify; verify {
		t.Name, _ = own[string](c, "tls_name")
		t.CA, _ = own[string](c, "tls_ca")
		if c.kind.in == inSSL && t.CA == "" {
			t.CA = c.ssl.ca
		}
	} else {
		c.idle("tls_verify", verified, "add tls_verify = true", "tls_name", "tls_ca")
	}
	var certified *value
	t.Cert, certified = own[string](c, "tls_certificate")
	t.Key, _ = own[string](c, "tls_key")
	switch {
	case certified == nil:
		c.idle("tls_certificate", nil, "add tls_certificate", "tls_key")
		if c.kind.in == inSSL {
			t.Cert, t.Key = c.ssl.certificate, c.ssl.key
		}
	case t.Key == "":
		t.Key = t.Cert
	}
	t.Expiry, _ = own[time.Duration](c, "tls_expiry")
	return t
}

// printTLS returns what tls reads, with the name of the keyword for the server name.
func printTLS(t health.TLS, sni string) inline {
	var how any = t.Mode == health.Implicit
	if t.Mode == health.StartTLS {
		how = "starttls"
	}
	key := t.Key
	if key == t.Cert {
		key = ""
	}
	list := inline{
		{sni, t.SNI, ""}, {"tls_verify", t.Verify, defaultOf("tls_verify")}, {"tls_name", t.Name, ""}, {"tls_ca", t.CA, ""},
		{"tls_certificate", t.Cert, ""}, {"tls_key", key, ""}, {"tls_expiry", t.Expiry, defaultOf("tls_expiry")},
	}
	if sni != "sni" { // it can't be otherwise
		return list
	}
	return append(inline{{"tls", how, defaultOf("tls")}}, list...)
}
