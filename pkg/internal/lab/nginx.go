package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"os"
	"strings"
)

// nginxHead is how every nginx of the lab begins. Nothing that clients send goes to disk.
const nginxHead = `
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
`

// nginxConf serves one page at every path but one, where there is a file of zeros.
const nginxConf = nginxHead + `
	map $remote_addr $client { ~: [$remote_addr]; default $remote_addr; }
	server {
		listen 80;
		listen [::]:80;
		listen 443;
		listen [::]:443;
		default_type text/plain;
		location = /download { root DIR; }
		location / { return 200 "HOST $client:$remote_port\n"; }
	}
}
`

// DownloadSize is the size in bytes of the lab's file /download. It is more than the buffers of two sockets hold: a client
// that does not read keeps the server from coming to an end.
const DownloadSize = 64 << 20

// NewNginx prepares a web server on ports 80 and 443, both without TLS, of a host, at the host's address. Its page says
// the host's name and the address that the request came from.
func NewNginx(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	dir := h.files("", map[string]string{"nginx.conf": strings.ReplaceAll(nginxConf, "HOST", h.Name)})
	err := os.WriteFile(dir+"/download", nil, 0o644)
	if err == nil {
		err = os.Truncate(dir+"/download", DownloadSize) // takes no room
	}
	if err != nil {
		h.tb.Fatalf("the file of %s: %v", h.Name, err)
	}
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
func (h *Host) Get(server netip.AddrPort) (Answer, error) {
	return h.request(http.MethodGet, server, http.NoBody)
}

// Post is Get with some data in the request.
func (h *Host) Post(server netip.AddrPort, data []byte) (Answer, error) {
	return h.request(http.MethodPost, server, bytes.NewReader(data))
}

func (h *Host) request(method string, server netip.AddrPort, body io.Reader) (answer Answer, err error) {
	err = short(func(ctx context.Context) error {
		// Go does not tell the client's port where the time is over.
		way := ""
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			way = fmt.Sprintf("%v->%v: ", i.Conn.LocalAddr(), i.Conn.RemoteAddr())
		}})
		request, err := http.NewRequestWithContext(ctx, method, "http://"+server.String()+"/", body)
		if err != nil {
			return err
		}
		response, err := h.HTTP().Do(request)
		if err != nil {
			return fmt.Errorf("%s%w", way, err)
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
