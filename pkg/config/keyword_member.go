package config

import (
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/member"
)

var memberKeywords = []keyword{
	{in: inMembers, name: "dns", kind: hostToAsk, list: true, doc: "names whose addresses are servers"},
	{in: inMembers, name: "srv", kind: hostToAsk, list: true, doc: "names whose SRV records name servers"},
	{in: inMembers, name: "name_server", kind: hostPort, doc: "who is asked for them; default: the system's"},
	{in: inMembers, name: "directory", kind: path, list: true, doc: "directories whose files name servers"},
	{in: inMembers, name: "etcd", kind: apiAddress, list: true, doc: "endpoints of an etcd whose keys name servers"},
	{in: inWishes, name: "etcd", kind: apiAddress, list: true, doc: "endpoints of an etcd that the directors have in common"},
	{in: inMembers | inWishes, name: "prefix", kind: text, doc: "what those keys begin with"},
	{in: inMembers | inWishes, name: "user", kind: text, doc: "who logs in to etcd"},
	{in: inMembers | inWishes, name: "password_file", kind: path, doc: "file with the password in its first line"},
	{in: inMembers, name: "consul", kind: apiAddress, doc: "address of a Consul whose catalogue names servers"},
	{in: inMembers, name: "service", kind: serviceName, doc: "service of the catalogue"},
	{in: inMembers, name: "token_file", kind: path, doc: "file with the token for Consul in its first line"},
	{in: inMembers | inWishes, name: "ca", kind: path, doc: "file of certificates that are trusted"},
	{in: inMembers | inWishes, name: "certificate", kind: path, doc: "file with a certificate of ours"},
	{in: inMembers | inWishes, name: "key", kind: path, doc: "file with its key"},
	{in: inMembers, name: "tags", kind: memberTags, doc: "what a server must have to be one, all of them"},
	{in: inMembers, name: "port", kind: integer(1, math.MaxUint16), doc: "port of servers whose source says none"},
	{in: inMembers, name: "minimum", kind: share, doc: "with fewer servers left nobody leaves"},
}

// memberTables are the keywords for tables of them.
var memberTables = []keyword{
	{in: inVirtual, name: "members", doc: "servers that DNS, files, etcd or Consul name"},
}

// These are prefix if it is not written: of members, and of wishes.
const (
	defaultPrefix = "/ipvsd/servers/"
	wishesPrefix  = "/ipvsd/wishes/"
)

var (
	// hostToAsk is a name that has records.
	hostToAsk = kind{words: domain.words, read: func(v any) (any, *wrong) {
		s, w := domain.read(v)
		if w != nil {
			return nil, w
		}
		if _, err := netip.ParseAddr(s.(string)); err == nil || s == "." {
			return nil, &wrong{hint: "an address that never changes belongs to real_servers"}
		}
		return s, nil
	}}

	// apiAddress is where an API is, without a path.
	apiAddress = kind{words: `an address such as "http://10.0.0.5:2379"`, read: func(v any) (any, *wrong) {
		s, _ := v.(string)
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery+u.Fragment != "" || strings.Contains(s, ","):
			return nil, &wrong{}
		case u.User != nil:
			return nil, &wrong{message: "an address with a password is nothing for this file", hint: "password_file and token_file name files"}
		case u.Path != "" && u.Path != "/":
			return nil, &wrong{hint: "it ends with the port"}
		}
		return strings.TrimSuffix(s, "/"), nil
	}}

	memberTags = kind{words: `a word, or a list of words such as ["web", "env=prod"]`, read: func(v any) (any, *wrong) {
		words, w := texts.read(v)
		if w != nil {
			return nil, w
		}
		list := slices.Clone(words.([]string))
		for _, word := range list {
			if !member.IsTag(word) {
				return nil, &wrong{hint: "a tag may have letters, digits and . _ - = : / @ +"}
			}
		}
		slices.Sort(list)
		return slices.Compact(list), nil
	}}

	// serviceName is a part of a path of Consul's API.
	serviceName = kind{words: "the name of a service", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/?#%", r) }) {
			return nil, &wrong{}
		}
		return s, nil
	}}
)
