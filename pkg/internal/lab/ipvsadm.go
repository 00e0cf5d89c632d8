package lab

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Row is a line of one of ipvsadm's listings.
type Row struct {
	Service string   // "TCP 192.168.1.202:80", "FWM 7" or "FWM 7 IPv6"
	Server  string   // "10.0.100.2:80"; empty in the row of the service itself
	Fields  []string // the rest: scheduler and flags, or Forward Weight ActiveConn InActConn, or counters
}

// Int returns a field as a number, -1 if it isn't one or isn't there.
func (r Row) Int(field int) int64 {
	if field >= len(r.Fields) {
		return -1
	}
	n, err := strconv.ParseInt(r.Fields[field], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// String is the row with single spaces: "TCP 192.168.1.202:80 rr", "-> 10.0.100.2:80 Masq 1 0 0".
func (r Row) String() string {
	head := r.Service
	if r.Server != "" {
		head = "-> " + r.Server
	}
	return strings.Join(append([]string{head}, r.Fields...), " ")
}

// Table lists the host's IPVS table as ipvsadm -Ln shows it, the rows of servers after their service's. Options such as
// "--stats" and "--exact" give the other listings. The kernel adds up its counters every two seconds: wait for them.
func (h *Host) Table(options ...string) []Row {
	h.tb.Helper()
	rows, err := h.ReadTable(options...)
	if err != nil {
		h.tb.Fatalf("%v", err)
	}
	return rows
}

// ReadTable is Table that returns an error, to be used while waiting.
func (h *Host) ReadTable(options ...string) ([]Row, error) {
	out, err := h.Output(append([]string{"ipvsadm", "-Ln"}, options...)...)
	if err != nil {
		return nil, err
	}
	return parseTable(out)
}

func parseTable(listing string) ([]Row, error) {
	var rows []Row
	var service string
	for line := range strings.Lines(listing) {
		word := strings.Fields(line)
		if len(word) < 2 {
			continue
		}
		switch word[0] {
		case "IP", "Prot": // the headings
		case "TCP", "UDP", "SCTP", "FWM":
			n := 2
			if len(word) > 2 && word[2] == "IPv6" {
				n = 3
			}
			service = strings.Join(word[:n], " ")
			rows = append(rows, Row{Service: service, Fields: word[n:]})
		case "->":
			if word[1] != "RemoteAddress:Port" {
				rows = append(rows, Row{Service: service, Server: word[1], Fields: word[2:]})
			}
		default:
			return nil, fmt.Errorf("ipvsadm's line %q is not understood", line)
		}
	}
	return rows, nil
}

// SavedTable returns what ipvsadm -Sn prints: the table as commands, one a line, without counters.
func (h *Host) SavedTable() []string {
	h.tb.Helper()
	var lines []string
	for line := range strings.Lines(h.Run("ipvsadm", "-Sn")) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// ReadConnections returns what ipvsadm -Lnc lists of one service: "UDP 00:57 UDP 192.168.1.10:10001 192.168.1.200:53
// 10.0.100.5:53", with single spaces. The template of a persistent client has port 0 there.
func (h *Host) ReadConnections(service netip.AddrPort) ([]string, error) {
	out, err := h.Output("ipvsadm", "-Lnc")
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(out) {
		if word := strings.Fields(line); len(word) > 4 && word[4] == service.String() {
			lines = append(lines, strings.Join(word, " "))
		}
	}
	return lines, nil
}
