package lab

import (
	"net/netip"
	"strings"
)

// It takes mail for nobody and talks to nobody.
const mainCF = `
compatibility_level = 3.6
queue_directory = DIR/spool
data_directory = DIR/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = /dev/stdout
myhostname = HOST.lab.local
mydestination =
mynetworks =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = all
inet_protocols = all
smtpd_tls_cert_file = DIR/cert.pem
smtpd_tls_key_file = DIR/key.pem
smtpd_tls_security_level = may
smtpd_peername_lookup = no
smtpd_delay_reject = no
smtpd_helo_restrictions = reject_invalid_helo_hostname
default_process_limit = 5
`

const masterCF = `
smtp inet n - n - - smtpd
submission inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`

// NewPostfix prepares a mail server on ports 25, 587, where nothing goes without STARTTLS, and 465, with TLS from the start, of a
// host, at the host's address.
func NewPostfix(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	conf := h.certificate(at)
	conf["main.cf"] = strings.ReplaceAll(mainCF, "HOST", h.Name)
	conf["master.cf"] = masterCF
	dir := h.files("", conf)
	h.Run("mkdir", dir+"/spool", dir+"/spool/pid")
	h.Run("install", "-d", "-o", "postfix", dir+"/data", dir+"/spool/private", dir+"/spool/public")
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 25),
		CA:   dir + "/cert.pem",
		// Its command postfix would start a hundred others first.
		args: []string{"/usr/lib/postfix/sbin/master", "-c", dir, "-i"},
	}
	s.ready = func() error { return s.listens(25, 587, 465) }
	return s
}
