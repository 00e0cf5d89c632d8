package config

import "github.com/ipvsd/ipvsd/pkg/health"

// Checks that log in.
const (
	inAccounts  = inIMAP | inPOP | inFTP | inLDAP | inSQL | inRADIUS | inRedis
	inSQL       = inMySQL | inPgSQL
	needsLogin  = inSQL | inRADIUS
	takesSecret = inRADIUS
)

// accountKeywords have ldirectord's names.
var accountKeywords = []keyword{
	{in: inAccounts | inSIP, name: "login", kind: text, doc: "who logs in"},
	{in: inAccounts, name: "passwd", kind: password, doc: "the password"},
	{in: inAccounts, name: "passwd_file", kind: path, doc: "file whose first line is the password"},
	{in: takesSecret, name: "secret", kind: password, doc: "what we share with the server"},
	{in: takesSecret, name: "secret_file", kind: path, doc: "file whose first line is that"},
	{in: inSQL, name: "database", kind: text, doc: "the database"},
	{in: inSQL, name: "request", kind: text, doc: "query that must have a row"},
	{in: inFTP, name: "request", kind: text, doc: "file to fetch"},
	{in: inFTP, name: "receive", kind: text, doc: "regular expression that the file must match"},
	{in: inLDAP, name: "request", kind: text, doc: "DN of the entry to find"},
	{in: inLDAP, name: "receive", kind: text, doc: "regular expression that its DN must match"},
	{in: inRedis, name: "role", kind: oneOf("master", "slave"), doc: "what the server must be"},
}

// account resolves who logs in. One who logs in has a password, except with databases, where others may vouch for him, and
// with Redis, which has passwords without names.
func (c *chain) account() (string, health.Secret) {
	login, named := own[string](c, "login")
	passwd, written := c.secret("passwd", "passwd_file")
	hint := `write passwd_file = "/etc/ipvsd/passwd", or passwd`
	switch {
	case c.kind.in&needsLogin != 0:
		c.missing(`write login = "NAME"`, "login")
	case named == nil && c.kind.in != inRedis:
		c.idle("login", nil, `write login = "NAME"`, "passwd", "passwd_file")
	case named != nil && written == nil:
		c.missing(hint, "passwd", "passwd_file")
	}
	if c.kind.in == inRADIUS {
		c.missing(hint, "passwd", "passwd_file")
	}
	return login, passwd
}

// secret resolves a text, or a file with it.
func (c *chain) secret(text, file string) (s health.Secret, v *value) {
	if v = c.nearest(c.own[:], text, file); v == nil {
		return s, nil
	}
	data, _ := v.data.(string)
	if v.keyword.name == file {
		return health.Secret{File: data}, v
	}
	return health.Secret{Text: data}, v
}

func printAccount(login string, passwd health.Secret) inline {
	return append(inline{{"login", login, ""}}, printSecret("passwd", passwd)...)
}

func printSecret(name string, s health.Secret) inline {
	return inline{{name, s.Text, ""}, {name + "_file", s.File, ""}}
}

func readFTP(c *chain, k *health.Check) {
	var s health.FTP
	s.Login, s.Password = c.account()
	s.File, _ = own[string](c, "request")
	s.Expect = c.expect("receive")
	if s.File == "" {
		c.idle("request", written("request", c.own[:]...), `write request = "FILE"`, "receive")
	}
	s.TLS = c.tls("")
	k.Spec = s
}

func printFTP(spec health.Spec, _ *printer) inline {
	s := spec.(health.FTP)
	list := append(printAccount(s.Login, s.Password), inline{{"request", s.File, ""}, {"receive", s.Expect.Pattern, ""}}...)
	return append(list, printTLS(s.TLS, "sni")...)
}

func readLDAP(c *chain, k *health.Check) {
	var s health.LDAP
	s.BindDN, s.Password = c.account()
	s.BaseDN, _ = own[string](c, "request")
	s.Expect = c.expect("receive")
	s.TLS = c.tls("")
	k.Spec = s
}

func printLDAP(spec health.Spec, _ *printer) inline {
	s := spec.(health.LDAP)
	list := append(printAccount(s.BindDN, s.Password), inline{{"request", s.BaseDN, ""}, {"receive", s.Expect.Pattern, ""}}...)
	return append(list, printTLS(s.TLS, "sni")...)
}

// sql is what checks of databases have in common.
type sql struct {
	login           string
	passwd          health.Secret
	database, query string
	tls             health.TLS
}

func (c *chain) sql() (s sql) {
	s.login, s.passwd = c.account()
	s.database, _ = own[string](c, "database")
	s.query, _ = own[string](c, "request")
	s.tls = c.tls("")
	return s
}

func (s sql) print() inline {
	list := append(printAccount(s.login, s.passwd), inline{{"database", s.database, ""}, {"request", s.query, ""}}...)
	tls := printTLS(s.tls, "sni")
	if s.tls.Mode == health.Implicit {
		tls[0].value = "direct"
	} else {
		tls[0].value = s.tls.Mode == health.StartTLS
	}
	return append(list, tls...)
}

func readMySQL(c *chain, k *health.Check) {
	s := c.sql()
	k.Spec = health.MySQL{Login: s.login, Password: s.passwd, Database: s.database, Query: s.query, TLS: s.tls}
}

func printMySQL(spec health.Spec, _ *printer) inline {
	s := spec.(health.MySQL)
	return sql{s.Login, s.Password, s.Database, s.Query, s.TLS}.print()
}

func readPgSQL(c *chain, k *health.Check) {
	s := c.sql()
	k.Spec = health.PgSQL{Login: s.login, Password: s.passwd, Database: s.database, Query: s.query, TLS: s.tls}
}

func printPgSQL(spec health.Spec, _ *printer) inline {
	s := spec.(health.PgSQL)
	return sql{s.Login, s.Password, s.Database, s.Query, s.TLS}.print()
}

func readRADIUS(c *chain, k *health.Check) {
	var s health.RADIUS
	s.Login, s.Password = c.account()
	s.Secret, _ = c.secret("secret", "secret_file")
	c.missing(`write secret_file = "/etc/ipvsd/secret", or secret`, "secret", "secret_file")
	k.Spec = s
}

func printRADIUS(spec health.Spec, _ *printer) inline {
	s := spec.(health.RADIUS)
	return append(printAccount(s.Login, s.Password), printSecret("secret", s.Secret)...)
}

func readRedis(c *chain, k *health.Check) {
	var s health.Redis
	s.Login, s.Password = c.account()
	if role, v := own[string](c, "role"); v != nil { // the default is that of another keyword of this name
		s.Role = role
	}
	s.TLS = c.tls("")
	k.Spec = s
}

func printRedis(spec health.Spec, _ *printer) inline {
	s := spec.(health.Redis)
	return append(append(printAccount(s.Login, s.Password), field{"role", s.Role, ""}), printTLS(s.TLS, "sni")...)
}
