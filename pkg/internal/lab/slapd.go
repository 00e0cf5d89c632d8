package lab

import "net/netip"

const slapdConf = `
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile DIR/pid
threads 2
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
database mdb
maxsize 1048576
suffix "dc=lab,dc=local"
rootdn "cn={login},dc=lab,dc=local"
rootpw {password}
directory DIR/data
`

const slapdLDIF = `dn: dc=lab,dc=local
objectClass: dcObject
objectClass: organization
dc: lab
o: Lab
`

// NewSLAPD prepares a directory on ports 389 and, with TLS from the start, 636 of a host, at the host's address. Its one entry is
// dc=lab,dc=local, which anybody may read, and cn=lab,dc=lab,dc=local may bind with Password.
func NewSLAPD(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	conf := h.certificate(at)
	conf["slapd.conf"] = withLogin(slapdConf)
	conf["lab.ldif"] = slapdLDIF
	// AppArmor, where it is on, lets slapd work here and hardly anywhere else.
	dir := h.files("/var/lib/ldap", conf)
	h.Run("mkdir", dir+"/data")
	h.Run("slapadd", "-q", "-f", dir+"/slapd.conf", "-l", dir+"/lab.ldif")
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 389),
		CA:   dir + "/cert.pem",
		args: []string{"slapd", "-d", "0", "-f", dir + "/slapd.conf", "-h", "ldap:/// ldaps:///"},
	}
	s.ready = func() error { return s.listens(389, 636) }
	return s
}
