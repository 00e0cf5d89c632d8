package lab

import "net/netip"

const redisConf = `
bind * -::*
protected-mode no
port 6379
tls-port 6380
tls-cert-file DIR/cert.pem
tls-key-file DIR/key.pem
tls-ca-cert-file DIR/cert.pem
tls-auth-clients no
save ""
dir DIR
requirepass {password}
user {login} on >{password} +@all ~*
`

// NewRedis prepares a Redis on port 6379 and, with TLS, 6380 of a host, at the host's address. Its default user and Login have
// Password.
func NewRedis(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	conf := h.certificate(at)
	conf["redis.conf"] = withLogin(redisConf)
	dir := h.files("", conf)
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 6379),
		CA:   dir + "/cert.pem",
		args: []string{"redis-server", dir + "/redis.conf"},
	}
	s.ready = func() error { return s.listens(6379, 6380) }
	return s
}
