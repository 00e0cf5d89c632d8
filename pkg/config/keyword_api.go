package config

var apiKeywords = []keyword{
	{in: inAPI, name: "listen", kind: listenAddress, list: true, doc: "addresses and ports that serve the API, besides the control socket"},
	{in: inAPI | inPeer, name: "certificate", kind: path, doc: "file with the certificate that is shown, and those between it and its CA"},
	{in: inAPI | inPeer, name: "key", kind: path, doc: "file with the key of the certificate"},
	{in: inAPI, name: "client_ca", kind: path, doc: "file of certificates that sign those of clients"},
	{in: inAPI, name: "token", doc: "who comes with a secret, and what they may"},
	{in: inAPI, name: "certificate_role", doc: "who comes with a certificate, and what they may"},
	{in: inToken, name: "name", kind: label, doc: "what the audit log calls who comes with it"},
	{in: inToken, name: "file", kind: path, doc: "file with the secret in its first line"},
	{in: inToken | inCertificateRole, name: "role", kind: oneOf(RoleRead, RoleOperate), doc: "what they may: read sees all, operate changes things, too"},
	{in: inCertificateRole, name: "subject", kind: headline, doc: "common name of the certificate's subject"},

	{in: inPeer, name: "address", kind: peerAddress, doc: "where its API listens"},
	{in: inPeer, name: "server_name", kind: hostName, doc: "name that its certificate must have, instead of the address"},
	{in: inPeer, name: "ca", kind: path, doc: "file of certificates that are trusted"},
	{in: inPeer, name: "token_file", kind: path, doc: "file with the secret that is shown to it"},
}
