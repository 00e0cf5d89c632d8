//go:build kernel

package daemon_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// From another host, curl gets what its secret or certificate is for, by TLS alone; what it did is in the audit log beside what root did on the
// socket, which is root's alone. A reload takes rights at once, and files that were made anew count without one.
func TestKernelAPI(t *testing.T) {
	c := lab.NewWebCluster(t)
	const at = "192.168.1.101" // the director's own
	dir := t.TempDir()
	ca := []string{"-CA", dir + "/ca.pem", "-CAkey", dir + "/ca.key"}
	issue := func(file, name string, more ...string) {
		c.Director.Run(append([]string{"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
			"-keyout", dir + "/" + file + ".key", "-out", dir + "/" + file + ".pem"}, more...)...)
	}
	issue("ca", "authority")
	issue("director", "lb1", append(ca, "-addext", "subjectAltName=IP:"+at, "-addext", "basicConstraints=critical,CA:false")...)
	issue("client", "deploy", append(ca, "-addext", "extendedKeyUsage=clientAuth", "-addext", "basicConstraints=critical,CA:false")...)
	token := func(secret string) {
		if err := os.WriteFile(dir+"/token", []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token("first-0123456789")
	service := fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\nTCP_CHECK = false\nreal_servers = [\"10.0.100.2:80\"]\n", lab.WebVIP)
	api := fmt.Sprintf("[global_defs.api]\nlisten = \"%s:9443\"\ncertificate = \"%s/director.pem\"\nkey = \"%[2]s/director.key\"\n", at, dir)
	reader := fmt.Sprintf("[[global_defs.api.token]]\nname = \"dashboard\"\nrole = \"read\"\nfile = %q\n", dir+"/token")
	operator := fmt.Sprintf("client_ca = \"%s/ca.pem\"\n[[global_defs.api.certificate_role]]\nsubject = \"deploy\"\nrole = \"operate\"\n", dir)
	d := ipvsd.Start(t, c.Director, service+api+operator+reader)

	curl := func(args ...string) (string, error) {
		return c.Client.Output(append([]string{"curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", dir + "/ca.pem"}, args...)...)
	}
	url := "https://" + at + ":9443/v1/"
	cert := []string{"--cert", dir + "/client.pem", "--key", dir + "/client.key"}
	want := func(code string, args ...string) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, fmt.Sprintf("curl %v to print %s", args, code), func() error {
			got, err := curl(args...)
			if code == "" && err != nil || err == nil && got == code {
				return nil
			}
			return fmt.Errorf("%s, %w", got, err)
		})
	}
	bearer := func(secret string) []string { return []string{"-H", "Authorization: Bearer " + secret} }
	want("200", append(bearer("first-0123456789"), url+"status")...)
	want("403", append(bearer("first-0123456789"), "-X", "POST", url+"reload")...)
	want("401", append(bearer("guess-0123456789"), url+"status")...)
	want("401", url+"status")
	want("200", append(cert, "-X", "POST", "-H", "X-Reason: new release", url+"reload")...)
	want("400", append(bearer("first-0123456789"), "http://"+at+":9443/v1/status")...) // without TLS
	if mode := c.Director.Run("stat", "-c", "%a %U", d.Path("socket")); strings.TrimSpace(mode) != "600 root" {
		t.Errorf("the socket is %s", mode)
	}
	if _, err := d.Because("a test").Reload(t.Context(), false); err != nil {
		t.Error(err)
	}
	var seen []string
	for line := range strings.Lines(c.Director.Run("jq", "-r", `[.who, .address, .action, .status, .reason] | join(" ")`, d.Path("state/audit.log"))) {
		seen = append(seen, strings.TrimSpace(line))
	}
	log := fmt.Sprintf("%q", seen)
	for _, entry := range []string{"token dashboard " + lab.ClientAddr.String() + " reload 403", "certificate deploy " + lab.ClientAddr.String() + " reload 200 new release", "root  reload 200 a test"} {
		if !strings.Contains(log, fmt.Sprintf("%q", entry)) {
			t.Errorf("the log has no %q: %s", entry, log)
		}
	}

	token("second-0123456789")
	want("200", append(bearer("second-0123456789"), url+"status")...)
	want("401", append(bearer("first-0123456789"), url+"status")...)
	d.Load(service + api + operator)
	want("", append(bearer("second-0123456789"), url+"status")...) // TLS wants a certificate
	want("200", append(cert, url+"status")...)
	d.Load(service)
	want("", append(cert, url+"status")...)
}
