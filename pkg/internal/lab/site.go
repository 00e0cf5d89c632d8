package lab

import (
	"net/netip"
	"os"
	"path/filepath"
)

const siteConf = nginxHead + `
	server {
		listen 80 backlog=65535;
		listen [::]:80 backlog=65535;
		listen 443 ssl http2 backlog=65535;
		listen [::]:443 ssl http2 backlog=65535;
		ssl_certificate DIR/cert.pem;
		ssl_certificate_key DIR/key.pem;
		default_type text/plain;
		root DIR/www;
		location = /moved { return 302 /; }
	}
}
`

// Site is a web server whose pages may change while it runs.
type Site struct {
	*Server
	root string
}

// NewSite prepares a web server without pages on port 80 and, with TLS and HTTP/2, on 443 of a host, at the host's address.
// /moved there leads to /. As many connections as net.core.somaxconn allows wait for it when it is frozen.
func NewSite(h *Host, at netip.Addr) *Site {
	h.tb.Helper()
	conf := h.certificate(at)
	conf["nginx.conf"] = siteConf
	dir := h.files("", conf)
	h.Run("mkdir", dir+"/www")
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 80),
		CA:   dir + "/cert.pem",
		args: []string{"nginx", "-e", "stderr", "-p", dir, "-c", dir + "/nginx.conf"},
	}
	s.ready = func() error { return s.listens(80, 443) }
	return &Site{Server: s, root: dir + "/www"}
}

// Put makes a page, or another one of it. Nobody sees half of it.
func (s *Site) Put(name, text string) {
	s.Host.tb.Helper()
	file := filepath.Join(s.root, name)
	err := os.WriteFile(file+".new", []byte(text), 0o644)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		s.Host.tb.Fatalf("page of %s: %v", s.Host.Name, err)
	}
}

// Remove makes a page go away.
func (s *Site) Remove(name string) {
	s.Host.tb.Helper()
	if err := os.Remove(filepath.Join(s.root, name)); err != nil {
		s.Host.tb.Fatalf("page of %s: %v", s.Host.Name, err)
	}
}
