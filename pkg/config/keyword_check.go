package config

import (
	"math"
	"time"
)

var (
	soon      = seconds(time.Millisecond, month)
	anyway    = seconds(0, month)
	count     = integer(0, math.MaxInt32)
	positive  = integer(1, math.MaxInt32)
	port      = integer(1, math.MaxUint16)
	certified = seconds(0, 10*365*24*time.Hour)
)

// Tables of checks that have something in common.
const (
	// inNetwork are those that send packets themselves, inPorts those to a port.
	inNetwork = inChecks &^ (inMisc | inFile | inBFDCheck)
	inPorts   = inNetwork &^ inPing
	// inTLS are those of protocols that TLS may carry; of inStartTLS it may begin later, on a command.
	inTLS      = inSSL | inStartTLS | inMySQL | inPgSQL | inSIP | inSimpleTCP | inGRPC | inRedis
	inStartTLS = inSMTP | inFTP | inIMAP | inPOP | inLDAP | inNNTP
)

// checkKeywords are those that checks of several types have.
var checkKeywords = []keyword{
	{in: serverChecks, name: "alpha", kind: boolean, doc: "down until a check has passed"},
	{in: serverChecks, name: "delay_loop", kind: soon, doc: "time from the start of one check to the start of the next"},
	{in: serverChecks &^ (inMisc | inBFDCheck), name: "connect_timeout", kind: soon, doc: "how long a check may take"},
	{in: serverChecks, name: "retry", kind: count, doc: "failures in a row that are forgiven"},
	{in: inChecks, name: "nb_get_retry", kind: count, aliasOf: "retry", doc: "old name of retry"},
	{in: serverChecks, name: "delay_before_retry", kind: soon, doc: "time to the next check after a forgiven failure; default: a tenth of delay_loop, at most 1 s"},
	{in: serverChecks, name: "warmup", kind: anyway, doc: "the first check starts at a random moment within this time"},
	{in: serverChecks, name: "rise", kind: positive, doc: "successes in a row that bring a server back"},
	{in: serverChecks, name: "fall", kind: positive, doc: "failures in a row that take a server out: retry and one more"},
	{in: serverChecks, name: "fast_interval", kind: anyway, doc: "delay_loop while the results point away from the state"},
	{in: serverChecks, name: "hold_down", kind: anyway, doc: "how long a server that comes back must pass; it doubles"},
	{in: serverChecks, name: "hold_down_max", kind: anyway, doc: "the longest hold_down"},
	{in: inChecks, name: "log_all_failures", kind: boolean, doc: "logs failures that change nothing, too"},
	{in: inNetwork | inHost, name: "connect_ip", kind: address, doc: "address to check instead of the server's"},
	{in: inPorts | inHost, name: "connect_port", kind: port, doc: "port to check instead of the server's"},
	{in: inNetwork | inHost, name: "bindto", kind: address, doc: "source address of the check"},
	{in: inPorts | inHost, name: "bind_port", kind: port, doc: "source port of the check"},
	{in: inNetwork | inHost, name: "bind_if", kind: device, doc: "interface that the check leaves by"},
	{in: inNetwork | inHost, name: "fwmark", kind: integer(0, math.MaxUint32), doc: "firewall mark on the check's packets"},

	{in: inVirtual | servers, name: "checks", kind: oneOf("on", "off"), doc: "no checks: always up, or down on purpose"},
	{in: inVirtual | servers, name: "checks_needed", kind: needed, doc: "how many of a server's checks must pass"},
	{in: inVirtual | inReal | inMembers, name: "slow_start", kind: anyway, doc: "time from coming back to the full weight"},

	{in: inGlobal, name: "max_checks_in_flight", kind: positive, doc: "checks that may run at once"},
	{in: inGlobal, name: "max_checks_per_second", kind: positive, doc: "checks that may start within a second"},
	{in: inGlobal, name: "max_check_scripts", kind: positive, doc: "commands of MISC_CHECK that may run at once"},
}

var tlsKeywords = []keyword{
	{in: inStartTLS, name: "tls", kind: either(boolean, oneOf("starttls")), doc: "TLS from the start, or from a command on"},
	{in: inSQL, name: "tls", kind: either(boolean, oneOf("starttls", "direct")), doc: "TLS as the protocol begins it, or from the start"},
	{in: inTLS &^ (inStartTLS | inSQL | inSSL), name: "tls", kind: boolean, doc: "with TLS"},
	{in: inTLS &^ inSSL, name: "sni", kind: text, doc: "server name to ask for"},
	{in: inTLS, name: "tls_verify", kind: boolean, doc: "the certificate must be valid"},
	{in: inTLS, name: "tls_name", kind: text, doc: "whom the certificate must be for"},
	{in: inTLS, name: "tls_ca", kind: path, doc: "file of certificates that are trusted"},
	{in: inTLS, name: "tls_certificate", kind: path, doc: "file with a certificate of ours"},
	{in: inTLS, name: "tls_key", kind: path, doc: "file with its key"},
	{in: inTLS, name: "tls_expiry", kind: certified, doc: "warns so long before the certificate ends"},

	{in: inSSLDefaults, name: "ca", kind: path, doc: "tls_ca of SSL_GET"},
	{in: inSSLDefaults, name: "certificate", kind: path, doc: "tls_certificate of SSL_GET"},
	{in: inSSLDefaults, name: "key", kind: path, doc: "tls_key of SSL_GET"},
	{in: inSSLDefaults, name: "password", kind: password, refused: "keys with a password are not supported", doc: "of the key; write it without one: openssl pkey -in KEY -out FILE"},
}
