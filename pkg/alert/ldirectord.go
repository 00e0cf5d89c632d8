package alert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// ldirectord returns subject and text as ldirectord has them.
func (d *Desk) ldirectord(n *News) (subject, text string) {
	m := &n.Service.Mail
	if m.Name != "" {
		subject = "[" + m.Name + "] "
	}
	subject += n.act() + weightSet(n)
	var b strings.Builder
	fmt.Fprintf(&b, "ldirectord host: %s\nLog-Message: %s\nDaemon-Status: %s\n", d.host, subject, n.Phase)
	if m.Name != "" || m.Comment != "" {
		b.WriteByte('\n')
	}
	if m.Name != "" {
		fmt.Fprintf(&b, "Service name: %s\n", m.Name)
	}
	if m.Comment != "" {
		fmt.Fprintf(&b, "Comment: %s\n", m.Comment)
	}
	if n.Reason != "" {
		fmt.Fprintf(&b, "\nReason: %s\n", oneLine(n.Reason))
	}
	return subject, b.String()
}

// act is what ldirectord did, or found, in its own words.
func (n *News) act() string {
	what, kept := "real server", false
	if n.About == AServer {
		kept = n.Server.InhibitOnFailure
	} else {
		what = "fallback server"
	}
	verb := "Deleted"
	switch {
	case n.Kind == Inaccessible:
		verb = "Inaccessible"
	case n.Kind == Stopped:
		verb, what = "Purged", what+" (stop)"
	case n.Kind == Up && kept:
		verb = "Restored"
	case n.Kind == Up:
		verb = "Added"
	case kept:
		verb = "Quiescent"
	}
	return fmt.Sprintf("%s %s: %s (%s)", verb, what, n.Server.Destination.Addr, service(n.Service))
}

// weightSet says what a server's weight is now, where ldirectord does.
func weightSet(n *News) string {
	switch {
	case n.Kind == Up:
		return fmt.Sprintf(" (Weight set to %d)", n.Server.Destination.Weight)
	case n.Kind == Down && n.About == AServer && n.Server.InhibitOnFailure:
		return " (Weight set to 0)"
	}
	return ""
}

// service is ldirectord's name of a virtual server.
func service(vs *config.VirtualServer) string {
	switch s := &vs.Services[0]; {
	case vs.Group != "":
		return vs.Group
	case s.FWMark != 0:
		return strconv.FormatUint(uint64(s.FWMark), 10)
	default:
		return s.Addr.String()
	}
}
