package config

import "github.com/ipvsd/ipvsd/pkg/health"

var mailKeywords = []keyword{
	{in: inSMTP, name: "helo_name", kind: hostName, doc: "our name in HELO"},
}

func readSMTP(c *chain, k *health.Check) {
	name, _ := own[string](c, "helo_name")
	k.Spec = health.SMTP{HeloName: name, TLS: c.tls("")}
}

func printSMTP(spec health.Spec, _ *printer) inline {
	s := spec.(health.SMTP)
	return append(inline{{"helo_name", s.HeloName, defaultOf("helo_name")}}, printTLS(s.TLS, "sni")...)
}

func readIMAP(c *chain, k *health.Check) {
	login, passwd := c.account()
	k.Spec = health.IMAP{Login: login, Password: passwd, TLS: c.tls("")}
}

func printIMAP(spec health.Spec, _ *printer) inline {
	s := spec.(health.IMAP)
	return append(printAccount(s.Login, s.Password), printTLS(s.TLS, "sni")...)
}

func readPOP(c *chain, k *health.Check) {
	login, passwd := c.account()
	k.Spec = health.POP3{Login: login, Password: passwd, TLS: c.tls("")}
}

func printPOP(spec health.Spec, _ *printer) inline {
	s := spec.(health.POP3)
	return append(printAccount(s.Login, s.Password), printTLS(s.TLS, "sni")...)
}

func readNNTP(c *chain, k *health.Check) { k.Spec = health.NNTP{TLS: c.tls("")} }

func printNNTP(spec health.Spec, _ *printer) inline { return printTLS(spec.(health.NNTP).TLS, "sni") }
