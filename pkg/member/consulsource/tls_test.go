package consulsource

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/authority"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// Over HTTPS both show certificates, and who asks a token from its file. A stranger is told no token.
func TestHTTPS(t *testing.T) {
	ca, stranger := authority.New(t), authority.New(t)
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	pair, err := tls.LoadX509KeyPair(ca.Issue("consul"))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked <- q.TLS.PeerCertificates[0].Subject.CommonName + " " + q.Header.Get("X-Consul-Token")
		w.Header().Set("X-Consul-Index", "1")
		body, _ := os.ReadFile("testdata/two.json")
		_, _ = w.Write(body)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("b1gs33cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, key := ca.Issue("ipvsd")
	strange, its := stranger.Issue("ipvsd")
	for _, try := range []struct {
		access member.Access
		want   string // of the error; empty: there is none; it may come as a broken pipe where the server hangs up
	}{
		{member.Access{CA: ca.File, Certificate: certificate, Key: key, Secret: token}, ""},
		{member.Access{CA: stranger.File, Certificate: certificate, Key: key, Secret: token}, "unknown authority"},
		{member.Access{CA: ca.File, Secret: token}, ": "},
		{member.Access{CA: ca.File, Certificate: strange, Key: its, Secret: token}, ": "},
		{member.Access{CA: ca.File, Certificate: certificate, Key: key, Secret: token + ".gone"}, "no such file"},
		{member.Access{Certificate: certificate, Key: key, Secret: token}, "unknown authority"},
	} {
		r := reader{source: member.Source{Kind: member.Consul, Name: "web", At: server.URL, Access: try.access}}
		report, err := r.ask(t.Context())
		r.close()
		switch {
		case try.want == "" && (err != nil || len(report.Members) != 2 || <-asked != "ipvsd b1gs33cr3t"):
			t.Errorf("%v: %+v", err, report)
		case try.want != "" && (err == nil || strings.Contains(err.Error(), "b1gs33cr3t") || !strings.Contains(err.Error(), try.want)):
			t.Errorf("%+v: %v", try.access, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("a stranger was told %s", <-asked)
	}
}
