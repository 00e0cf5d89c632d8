package config

// api writes who may ask and tell the daemon by TCP.
func (p *printer) api(a *API) {
	p.table("", "[global_defs.api]")
	p.list("listen", printedLines(a.Listen))
	p.keyPair(a.Certificate, a.Key)
	differs(p, "client_ca", a.ClientCA, "")
	for _, t := range a.Tokens {
		p.table("", "[[global_defs.api.token]]")
		p.set("name", t.Name)
		p.set("role", t.Role)
		p.set("file", t.File)
	}
	for _, c := range a.CertificateRoles {
		p.table("", "[[global_defs.api.certificate_role]]")
		p.set("subject", c.Subject)
		p.set("role", c.Role)
	}
}

func (p *printer) keyPair(certificate, key string) {
	differs(p, "certificate", certificate, "")
	differs(p, "key", key, "")
}

// peers writes the other directors.
func (p *printer) peers(list []Peer) {
	for _, r := range list {
		p.table("", "[global_defs.peers."+bare(r.Name)+"]")
		p.set("address", r.Address)
		differs(p, "server_name", r.ServerName, "")
		differs(p, "ca", r.CA, "")
		p.keyPair(r.Certificate, r.Key)
		differs(p, "token_file", r.TokenFile, "")
	}
}
