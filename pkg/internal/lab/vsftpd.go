package lab

import (
	"net/netip"
	"strings"
)

const vsftpdConf = `
listen_ipv6=YES
background=NO
anonymous_enable=YES
anon_root=DIR/pub
local_enable=YES
chroot_local_user=NO
pam_service_name=vsftpd
secure_chroot_dir=DIR/empty
vsftpd_log_file=/dev/stderr
ssl_enable=YES
allow_anon_ssl=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
force_anon_logins_ssl=NO
force_anon_data_ssl=NO
require_ssl_reuse=NO
rsa_cert_file=DIR/cert.pem
rsa_private_key_file=DIR/key.pem
seccomp_sandbox=NO
`

// NewVSFTPD prepares a file server on port 21 of a host, at the host's address, with TLS for who asks for it. Anonymous users and
// Login, who becomes a user of this machine for the time of the test, see a file "ready" that says "Service is OK".
func NewVSFTPD(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	conf := h.certificate(at)
	conf["vsftpd.conf"] = vsftpdConf
	conf["ready"] = "Service is OK\n"
	dir := h.files("", conf)
	h.Run("mkdir", dir+"/empty", dir+"/pub")
	h.Run("cp", dir+"/ready", dir+"/pub")
	hash := strings.TrimSpace(h.Run("openssl", "passwd", "-6", Password))
	h.Run("useradd", "--home-dir", dir, "--no-create-home", "--shell", "/bin/sh", "--password", hash, Login)
	h.tb.Cleanup(func() { h.Run("userdel", Login) })
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 21),
		CA:   dir + "/cert.pem",
		// As a first process it would be told of the ends of processes that it doesn't know, and crash.
		args: []string{"sh", "-c", `vsftpd "$0"; exit`, dir + "/vsftpd.conf"},
	}
	s.ready = func() error { return s.listens(21) }
	return s
}
