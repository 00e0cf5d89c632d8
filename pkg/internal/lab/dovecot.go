package lab

import "net/netip"

const dovecotConf = `
protocols = imap pop3
listen = *, ::
base_dir = DIR/run
state_dir = DIR/state
log_path = /dev/stderr
ssl = yes
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
passdb {
	driver = passwd-file
	args = scheme=PLAIN DIR/users
}
userdb {
	driver = static
	args = uid=mail gid=mail home=DIR/home
}
first_valid_uid = 1
mail_location = maildir:DIR/home/mail
`

// NewDovecot prepares a mailbox server on ports 143 and 993 (IMAP) and 110 and 995 (POP3) of a host, at the host's address, the
// latter of both with TLS from the start. Its user is Login.
func NewDovecot(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	conf := h.certificate(at)
	conf["dovecot.conf"] = dovecotConf
	conf["users"] = Login + ":" + Password + "\n"
	dir := h.files("", conf)
	h.Run("install", "-d", "-o", "mail", "-g", "mail", dir+"/home")
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 143),
		CA:   dir + "/cert.pem",
		args: []string{"dovecot", "-F", "-c", dir + "/dovecot.conf"},
	}
	s.ready = func() error { return s.listens(143, 993, 110, 995) }
	return s
}
