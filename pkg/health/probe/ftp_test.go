package probe_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// ftpServer is a server with one file, "index". What it answers to commands can be replaced.
func ftpServer(content string, config *tls.Config, instead map[string]string) func(net.Conn) {
	return func(c net.Conn) {
		var data net.Listener
		defer func() {
			if data != nil {
				data.Close()
			}
		}()
		say := func(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }
		protect := false
		say("220 files")
		for lines := bufio.NewReader(c); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			word, _, _ := strings.Cut(line, " ")
			if answer, spoilt := instead[word]; spoilt {
				say("%s", answer)
				continue
			}
			switch word {
			case "AUTH":
				say("234 go")
				secured := tls.Server(c, config)
				if secured.Handshake() != nil {
					return
				}
				defer secured.Close()
				c, lines = secured, bufio.NewReader(secured)
			case "USER":
				say("331 and?")
			case "PASS":
				if line == "PASS s3cret" || line == "PASS ipvsd@" {
					say("230 in")
				} else {
					say("530 Login incorrect.")
				}
			case "PROT":
				protect = true
				say("200 yes")
			case "PBSZ", "TYPE":
				say("200 yes")
			case "EPSV", "PASV":
				if data, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
					return
				}
				port := data.Addr().(*net.TCPAddr).Port
				if word == "EPSV" {
					say("229 Entering Extended Passive Mode (|||%d|)", port)
				} else {
					say("227 Entering Passive Mode (192,0,2,1,%d,%d).", port>>8, port&255)
				}
			case "RETR":
				if line != "RETR index" {
					say("550 Failed to open file.")
					continue
				}
				say("150 here it comes")
				if sendFile(data, content, config, protect) != nil {
					say("522 SSL connection failed; session reuse required")
					return
				}
				say("226 done")
			case "QUIT":
				say("221 bye")
				return
			default:
				say("500 what?")
			}
		}
	}
}

// sendFile sends a file over the next connection. In TLS it wants to see a session of the control connection's, as vsftpd does.
func sendFile(data net.Listener, content string, config *tls.Config, protect bool) error {
	c, err := data.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if protect {
		secured := tls.Server(c, config)
		if err := secured.Handshake(); err != nil {
			return err
		}
		if !secured.ConnectionState().DidResume {
			return io.ErrUnexpectedEOF
		}
		_, err := io.WriteString(secured, content)
		secured.CloseWrite()
		io.Copy(io.Discard, secured) // until the other side says so, too
		return err
	}
	_, err = io.WriteString(c, content)
	return err
}

func TestFTPFaults(t *testing.T) {
	faults(t, of(health.FTP{Login: "ipvsd", Password: password}), ftpServer("hello\n", nil, nil))
}

func TestFTPFileFaults(t *testing.T) {
	faults(t, of(health.FTP{File: "index", Expect: health.Regex{Pattern: "^hello"}}), ftpServer("hello\n", nil, nil))
}

func TestFTP(t *testing.T) {
	file := health.FTP{File: "index", Expect: health.Regex{Pattern: "^hello"}}
	good, shut := ftpServer("hello\n", nil, nil), nobody(t).Port()
	verdicts(t, []verdict{
		{"anonymous", health.FTP{}, good, ""},
		{"a login", health.FTP{Login: "ipvsd", Password: password}, good, ""},
		{"a wrong password", health.FTP{Login: "ipvsd", Password: health.Secret{Text: "wrong"}}, good, "login refused: 530 Login incorrect."},
		{"no password wanted", health.FTP{Login: "ipvsd"}, ftpServer("", nil, map[string]string{"USER": "230 in"}), ""},
		{"nobody wanted", health.FTP{}, ftpServer("", nil, map[string]string{"USER": "530 no anonymous login"}), "login refused: 530 no anonymous login"},
		{"a file", file, good, ""},
		{"a file and no regex", health.FTP{File: "index"}, good, ""},
		{"an empty file", health.FTP{File: "index"}, ftpServer("", nil, nil), ""},
		{"another content", file, ftpServer("bye\n", nil, nil), `file index: "bye " does not match the regex "^hello"`},
		{"no file", health.FTP{File: "nothing"}, good, "file nothing: 550 Failed to open file."},
		{"a large file", file, ftpServer(strings.Repeat("hello\n", 1<<18), nil, nil), "file index: data connection: the server sent more than 1048576 bytes"},
		{"PASV, of another address", file, ftpServer("hello\n", nil, map[string]string{"EPSV": "500 unknown"}), ""},
		{"neither", file, ftpServer("", nil, map[string]string{"EPSV": "500 unknown", "PASV": "502 no"}), "file index: 502 no"},
		{"no port", file, ftpServer("", nil, map[string]string{"EPSV": "229 (|||0|)"}), `file index: no port in the answer "(|||0|)"`},
		{"a closed port", file, ftpServer("", nil, map[string]string{"EPSV": fmt.Sprintf("229 (|||%d|)", shut)}),
			fmt.Sprintf("file index: data connection to port %d: connection refused", shut)},
		{"tired of waiting", file, ftpServer("hello\n", nil, map[string]string{"TYPE": "421 timeout"}), "file index: TYPE I: 421 timeout"},
	})
}

func TestFTPInTLS(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	config := &tls.Config{Certificates: []tls.Certificate{id.cert}}
	twelve := &tls.Config{Certificates: []tls.Certificate{id.cert}, MaxVersion: tls.VersionTLS12}
	inside := func(config *tls.Config) func(net.Conn) {
		return func(c net.Conn) {
			secured := tls.Server(c, config)
			defer secured.Close()
			ftpServer("hello\n", config, nil)(secured)
		}
	}
	start := health.FTP{File: "index", TLS: health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca}}
	implicit := start
	implicit.TLS.Mode = health.Implicit
	loose := start
	loose.TLS = health.TLS{Mode: health.StartTLS}
	for range 2 {
		verdicts(t, []verdict{
			{"AUTH TLS", start, ftpServer("hello\n", config, nil), ""},
			{"AUTH TLS, 1.2", start, ftpServer("hello\n", twelve, nil), ""},
			{"implicit", implicit, inside(config), ""},
			{"implicit, 1.2", implicit, inside(twelve), ""},
			{"any certificate", loose, ftpServer("hello\n", config, nil), ""},
			{"none", start, ftpServer("", nil, map[string]string{"AUTH": "500 unknown"}), "AUTH TLS: 500 unknown"},
			{"not for data", start, ftpServer("", config, map[string]string{"PROT": "536 no"}), "file index: PROT P: 536 no"},
		})
	}
}

func FuzzPassive(f *testing.F) {
	for _, text := range []string{"Entering Passive Mode (192,0,2,1,25,46).", "(|||6446|)", "=192,0,2,1,0,0", "1,2,3,4,256,1", "(|||65536|)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if port, err := probe.ParsePassive(text); (port == 0) != (err != nil) {
			t.Errorf("%d, %v", port, err)
		}
	})
}
