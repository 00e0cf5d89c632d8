package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
)

// nginxConf serves one page at every path. Nothing goes to disk.
const nginxConf = `
daemon off;
user root;
worker_processes 1;
pid DIR/pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen 80;
		listen [::]:80;
		default_type text/plain;
		location / { return 200 "HOST $remote_addr:$remote_port\n"; }
	}
}
`

// NewNginx prepares a web server on port 80 of a host, at the host's address. Its page says the host's name and the
// address that the request came from.
func NewNginx(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	dir := h.files("", map[string]string{"nginx.conf": strings.ReplaceAll(nginxConf, "HOST", h.Name)})
	return &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 80),
		args: []string{"nginx", "-e", "stderr", "-p", dir, "-c", dir + "/nginx.conf"},
		ready: func() error {
			_, err := h.Get(loopback(80))
			return err
		},
	}
}

// Get requests the page of an nginx of the lab over a new connection.
func (h *Host) Get(server netip.AddrPort) (answer Answer, err error) {
	err = short(func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.String()+"/", http.NoBody)
		if err != nil {
			return err
		}
		response, err := h.HTTP().Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("http://%s/: %s", server, response.Status)
		}
		answer, err = parseAnswer(string(page))
		return err
	})
	return answer, err
}
