package probe_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// mailServer returns a server that greets, and answers each command by its first word.
func mailServer(greeting string, answers map[string]string) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprintf(c, "%s\r\n", greeting)
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			word, _, _ := strings.Cut(lines.Text(), " ")
			answer, known := answers[word]
			if !known {
				answer = "502 5.5.2 what is " + word + "?"
			}
			if _, err := fmt.Fprintf(c, "%s\r\n", answer); err != nil {
				return
			}
		}
	}
}

func smtpCheck(at netip.AddrPort) health.Check {
	return health.Check{Type: "SMTP_CHECK", Target: at, Spec: health.SMTP{HeloName: "lb.example.org"}}
}

func TestSMTPCheckFaults(t *testing.T) {
	faults(t, smtpCheck, mailServer("220 mail.example.org ESMTP", map[string]string{"HELO": "250 mail.example.org", "QUIT": "221 bye"}))
}
