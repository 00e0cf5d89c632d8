package config

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

const inGet = inHTTP | inSSL

var httpKeywords = []keyword{
	{in: inVirtual | inReal | inSorry | inGet | inURL, name: "virtualhost", kind: hostName, doc: "Host header of HTTP checks"},
	{in: inGet, name: "http_protocol", kind: httpVersion, doc: "version of HTTP"},
	{in: inGet, name: "fast_recovery", kind: boolean, doc: "each check asks for all URLs; false: for one, in turn"},
	{in: inGet, name: "redirect", kind: oneOf("answer", "follow"), doc: "a redirect is an answer, or leads on to the same server"},
	{in: inGet, name: "weight_header", kind: token, doc: "header of the answer that has the server's weight"},
	{in: inGet, name: "weight_body", kind: boolean, doc: "the body of the answer has the server's weight"},
	{in: inSSL, name: "enable_sni", kind: boolean, doc: "asks for the virtualhost as TLS server name"},
	{in: inSSL, name: "sni_name", kind: text, doc: "server name to ask for instead of the virtualhost"},
	{in: inSSL, name: "sni", kind: text, aliasOf: "sni_name", doc: "another name of sni_name"},
	{in: inSSL | inURL, name: "tls_compliant", kind: boolean, doc: "a connection must be ended by close_notify"},

	{in: inURL, name: "path", kind: urlPath, doc: "what is asked for; http://HOST/... asks the server as a proxy"},
	{in: inURL, name: "status_code", kind: statusCodes, doc: "codes of an answer that is right"},
	{in: inURL, name: "digest", kind: digest, doc: "MD5 of the body"},
	{in: inURL, name: "regex", kind: text, doc: "what the body must match"},
	{in: inURL, name: "regex_no_match", kind: boolean, doc: "the body must not match it"},
	{in: inURL, name: "regex_options", kind: regexOptions, doc: "how it matches, in PCRE's words"},
	{in: inURL, name: "regex_min_offset", kind: count, doc: "matches that begin before this byte don't count"},
	{in: inURL, name: "regex_max_offset", kind: count, doc: "matches that begin after this byte don't count"},
	{in: inURL, name: "method", kind: oneOf("GET", "HEAD", "POST", "OPTIONS"), doc: "how the server is asked"},
	{in: inURL, name: "headers", kind: headers, doc: "more lines of the request's header"},
	{in: inURL, name: "body", kind: text, doc: "what is sent, by POST"},
	{in: inURL, name: "json", kind: assertions, doc: "values that the answer must have, as a document in JSON"},
}

// Values of redirect.
const (
	redirectAnswer = "answer"
	redirectFollow = "follow"
)

// bodyHasWeight stands in health.HTTP for weight_body.
const bodyHasWeight = "-"

func readHTTP(c *chain, k *health.Check) {
	var s health.HTTP
	s.Protocol, _ = own[string](c, "http_protocol")
	redirect, _ := own[string](c, "redirect")
	s.Follow = redirect == redirectFollow
	if v := c.nearest(c.own[:], "weight_header", "weight_body"); v != nil {
		switch data := v.data.(type) {
		case string:
			s.Weight = data
		case bool:
			if data {
				s.Weight = bodyHasWeight
			}
		}
	}
	tables := c.block.parts
	if len(tables) == 0 && c.shared != nil {
		tables = c.shared.parts
	}
	var urls []health.URL
	for _, b := range tables {
		urls = append(urls, c.url(b))
	}
	if urls == nil {
		urls = append(urls, c.url(nil))
	}
	s.URLs = health.ListOf(urls...)
	if c.kind.in == inSSL {
		s.TLS = c.tls(c.serverName(urls, tables))
	}
	if fast, _ := own[bool](c, "fast_recovery"); !fast {
		k.Turns = len(urls)
	}
	k.Spec = s
}

// url resolves one table url; nil is one without keywords.
func (c *chain) url(b *block) (u health.URL) {
	u.Path, _ = lookup[string]("path", b)
	u.Status, _ = lookup[health.StatusSet]("status_code", b)
	u.Digest, _ = lookup[string]("digest", b)
	u.VirtualHost, _ = lookup[string]("virtualhost", append([]*block{b}, c.all[:]...)...)
	u.Headers, _ = lookup[health.List[health.Header]]("headers", b)
	u.JSON, _ = lookup[health.List[health.Assertion]]("json", b)
	u.Body, _ = lookup[string]("body", b)
	method, how := lookup[string]("method", b)
	if u.Method = method; how == nil && u.Body != "" {
		u.Method = "POST"
	}
	c.regex(b, &u.Regex)
	compliant, wanted := lookup[bool]("tls_compliant", append([]*block{b}, c.own[:]...)...)
	if u.TLSCompliant = compliant; compliant && c.kind.in != inSSL {
		c.fail(wanted.key, "leave it out, or write SSL_GET", "tls_compliant works only with SSL_GET")
	}
	if b == nil {
		return u
	}
	if v := b.value("body"); v != nil && how != nil && how.data != nil && u.Method != "POST" {
		c.fail(v.key, `write method = "POST", or leave it out`, "body works only with method POST, not %s", u.Method)
	}
	for _, name := range []string{"digest", "regex", "json"} {
		if v := b.value(name); v != nil && u.Method == "HEAD" {
			c.fail(v.key, `write method = "GET"`, "%s works only with a body, and the answer to HEAD has none", name)
		}
	}
	return u
}

// regex resolves the keywords of a url that begin with regex.
func (c *chain) regex(b *block, re *health.Regex) {
	pattern, v := lookup[string]("regex", b)
	if v == nil {
		for _, name := range []string{"regex_no_match", "regex_options", "regex_min_offset", "regex_max_offset"} {
			if v := written(name, b); v != nil {
				c.fail(v.key, "add regex", "%s works only with regex", name)
			}
		}
		return
	}
	re.Pattern = pattern
	re.NoMatch, _ = lookup[bool]("regex_no_match", b)
	re.Options, _ = lookup[health.List[string]]("regex_options", b)
	least, _ := lookup[int64]("regex_min_offset", b)
	most, limited := lookup[int64]("regex_max_offset", b)
	re.MinOffset, re.MaxOffset = int(least), int(most)
	if limited != nil && limited.data != nil && most > 0 && most < least {
		c.fail(limited.at, "a match must begin between the two", "regex_max_offset %d is less than regex_min_offset, which is %d", most, least)
		re.MaxOffset = 0
	}
	c.compiles(*re, v)
}

// serverName returns what to ask for by SNI: the name that is written, else what the URLs ask for.
func (c *chain) serverName(urls []health.URL, tables []*block) string {
	if name, v := own[string](c, "sni_name"); v != nil {
		return name
	}
	if on, _ := own[bool](c, "enable_sni"); !on {
		return ""
	}
	name, other := hostOf(urls)
	if other >= 0 {
		// Either may be without one, not both.
		v := written("virtualhost", slices.Concat([]*block{tables[other]}, c.all[:], []*block{tables[0]})...)
		c.fail(v.at, "write sni_name, or enable_sni = false, or another SSL_GET for this virtualhost",
			"a check asks for one TLS server name, but its URLs have the virtualhosts %s and %s", cmp.Or(name, "none"), cmp.Or(urls[other].VirtualHost, "none"))
	}
	return name
}

// hostOf returns the TLS server name that all URLs ask for, and the index of the first one that asks for another; -1: none.
func hostOf(urls []health.URL) (name string, other int) {
	name = serverNameOf(urls[0].VirtualHost)
	return name, slices.IndexFunc(urls, func(u health.URL) bool { return serverNameOf(u.VirtualHost) != name })
}

// serverNameOf returns the name in a Host header as TLS knows it: without a port, and no address.
func serverNameOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && (strings.HasSuffix(host[:i], "]") || strings.Count(host, ":") == 1) {
		host = host[:i]
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ""
	}
	return host
}

func printHTTP(spec health.Spec, p *printer) inline {
	s := spec.(health.HTTP)
	weightHeader := s.Weight
	if s.Weight == bodyHasWeight {
		weightHeader = ""
	}
	redirect := redirectAnswer
	if s.Follow {
		redirect = redirectFollow
	}
	list := inline{
		{"http_protocol", s.Protocol, defaultOf("http_protocol")},
		{"redirect", redirect, defaultOf("redirect")},
		{"weight_header", weightHeader, ""}, {"weight_body", s.Weight == bodyHasWeight, false},
	}
	if s.TLS != (health.TLS{}) {
		t, sni := s.TLS, true
		if host, other := hostOf(slices.Collect(s.URLs.All())); t.SNI == host && other < 0 {
			t.SNI = "" // it is asked for anyway
		} else {
			sni = t.SNI != ""
		}
		list = append(list, field{"enable_sni", sni, defaultOf("enable_sni")})
		list = append(list, printTLS(t, "sni_name")...)
	}
	var urls []inline
	for u := range s.URLs.All() {
		urls = append(urls, printURL(u))
	}
	switch {
	case len(urls) > 1:
		return append(list, field{"url", urls, nil})
	case urls[0].String() != "{}":
		return append(list, field{"url", urls[0], nil})
	}
	return list
}

func printURL(u health.URL) inline {
	fallback := defaultOf("method")
	if u.Body != "" {
		fallback = "POST"
	}
	var header, json table
	for h := range u.Headers.All() {
		header = append(header, field{h.Name, h.Value, nil})
	}
	for a := range u.JSON.All() {
		json = append(json, field{a.Path, a.Value, nil})
	}
	list := inline{
		{"path", u.Path, defaultOf("path")}, {"status_code", u.Status.String(), defaultOf("status_code").(health.StatusSet).String()},
		{"digest", u.Digest, ""}, {"virtualhost", u.VirtualHost, ""}, {"method", u.Method, fallback}, {"body", u.Body, ""},
		{"regex", u.Regex.Pattern, ""}, {"regex_no_match", u.Regex.NoMatch, false},
		{"regex_min_offset", int64(u.Regex.MinOffset), int64(0)}, {"regex_max_offset", int64(u.Regex.MaxOffset), int64(0)},
		{"tls_compliant", u.TLSCompliant, false},
	}
	if options := slices.Collect(u.Regex.Options.All()); len(options) > 0 {
		list = append(list, field{"regex_options", options, nil})
	}
	if len(header) > 0 {
		list = append(list, field{"headers", header, nil})
	}
	if len(json) > 0 {
		list = append(list, field{"json", json, nil})
	}
	return list
}
