package config

import "github.com/ipvsd/ipvsd/pkg/health"

// checkType is one of keepalived's CHECKER_TYPEs, or one of ours.
type checkType struct {
	name string
	in   scope // its tables
	doc  string

	port    uint16 // where its protocol is at home; 0: nowhere
	tlsPort uint16 // the same with TLS from the first byte
	aim     aim

	read  func(*chain, *health.Check)        // fills in the Spec, and what of the rest this type has other words for
	print func(health.Spec, *printer) inline // the reverse
}

// aim is what a check needs to know of a server.
type aim uint8

const (
	atPort    aim = iota // address and port
	atHost               // the address; the port means nothing
	atServer             // the server, whatever is known of it
	elsewhere            // the address, and a port that is not the server's
)

// checkTypes are all types of checks, in the order of their scopes.
var checkTypes = []checkType{
	{name: "TCP_CHECK", in: inTCP, doc: "connects to the server; true: with the defaults; false: no check",
		read: func(_ *chain, k *health.Check) { k.Spec = health.TCP{} }, print: nothing},
	{name: "PING_CHECK", in: inPing, doc: "sends an ICMP echo request", aim: atHost,
		read: func(_ *chain, k *health.Check) { k.Spec = health.Ping{} }, print: nothing},
	{name: "HTTP_GET", in: inHTTP, doc: "asks a web server for pages", port: 80, read: readHTTP, print: printHTTP},
	{name: "SSL_GET", in: inSSL, doc: "the same through TLS", port: 443, read: readHTTP, print: printHTTP},
	{name: "SMTP_CHECK", in: inSMTP, doc: "greets a mail server", port: 25, tlsPort: 465, read: readSMTP, print: printSMTP},
	{name: "DNS_CHECK", in: inDNS, doc: "asks a name server", port: 53, read: readDNS, print: printDNS},
	{name: "MISC_CHECK", in: inMisc, doc: "runs a command", aim: atServer, read: readMisc, print: printMisc},
	{name: "UDP_CHECK", in: inUDP, doc: "sends a datagram", read: readUDP, print: printUDP},
	{name: "FILE_CHECK", in: inFile, doc: "reads a number from a file", aim: atHost, read: readFile, print: printFile},
	{name: "FTP_CHECK", in: inFTP, doc: "logs in to a file server", port: 21, tlsPort: 990, read: readFTP, print: printFTP},
	{name: "IMAP_CHECK", in: inIMAP, doc: "greets a mailbox server, or logs in", port: 143, tlsPort: 993, read: readIMAP, print: printIMAP},
	{name: "POP_CHECK", in: inPOP, doc: "greets a mailbox server, or logs in", port: 110, tlsPort: 995, read: readPOP, print: printPOP},
	{name: "LDAP_CHECK", in: inLDAP, doc: "looks up an entry of a directory", port: 389, tlsPort: 636, read: readLDAP, print: printLDAP},
	{name: "NNTP_CHECK", in: inNNTP, doc: "waits for the greeting of a news server", port: 119, tlsPort: 563, read: readNNTP, print: printNNTP},
	{name: "MYSQL_CHECK", in: inMySQL, doc: "logs in to MariaDB or MySQL", port: 3306, read: readMySQL, print: printMySQL},
	{name: "PGSQL_CHECK", in: inPgSQL, doc: "logs in to PostgreSQL", port: 5432, read: readPgSQL, print: printPgSQL},
	{name: "RADIUS_CHECK", in: inRADIUS, doc: "authenticates a user", port: 1812, read: readRADIUS, print: printRADIUS},
	{name: "SIP_CHECK", in: inSIP, doc: "asks a SIP server for its options", port: 5060, tlsPort: 5061, read: readSIP, print: printSIP},
	{name: "SIMPLETCP_CHECK", in: inSimpleTCP, doc: "sends a text and waits for another", read: readSimpleTCP, print: printSimpleTCP},
	{name: "GRPC_CHECK", in: inGRPC, doc: "asks a gRPC server for its health", read: readGRPC, print: printGRPC},
	{name: "REDIS_CHECK", in: inRedis, doc: "pings Redis", port: 6379, read: readRedis, print: printRedis},
	{name: "AGENT_CHECK", in: inAgent, doc: "asks HAProxy's agent for state and weight", aim: elsewhere, read: readAgent, print: printAgent},
	{name: "BFD_CHECK", in: inBFDCheck, doc: "asks a BFD session whether it is up", aim: atHost, read: readBFD, print: printBFD},
}

// typeNamed is checkTypes by name.
var typeNamed = func() map[string]*checkType {
	m := make(map[string]*checkType, len(checkTypes))
	for i := range checkTypes {
		m[checkTypes[i].name] = &checkTypes[i]
	}
	return m
}()

// home returns the port where the protocol is at home.
func (t *checkType) home(mode health.TLSMode) uint16 {
	if mode == health.Implicit && t.tlsPort != 0 {
		return t.tlsPort
	}
	return t.port
}

// modeOf returns how the checks that have two ports are encrypted.
func modeOf(spec health.Spec) health.TLSMode {
	switch s := spec.(type) {
	case health.SMTP:
		return s.TLS.Mode
	case health.FTP:
		return s.TLS.Mode
	case health.IMAP:
		return s.TLS.Mode
	case health.POP3:
		return s.TLS.Mode
	case health.LDAP:
		return s.TLS.Mode
	case health.NNTP:
		return s.TLS.Mode
	case health.SIP:
		return s.TLS.Mode
	}
	return health.Plain
}

func nothing(health.Spec, *printer) inline { return nil }
