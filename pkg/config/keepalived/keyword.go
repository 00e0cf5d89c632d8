package keepalived

import (
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// scopes are the blocks of a file and what each may have. Several entries of one name are one scope: who translates VRRP adds
// its keywords to the top of a file and to global_defs beside who translates IPVS.
//
// How a block is found: the block of keyword K in scope S is the scope called "S K" if there is one, else the one called "K"
// ("vrrp_instance track_file" is another thing than "track_file"). A scope without keywords has lines of its own form, such as
// virtual_ipaddress: each line is a Node whose first word is its Text. A keyword with neither has no block.
//
// A translate function never mentions this variable or its own scope (Go would call that an initialization cycle): it calls
// t.walk(n), which knows the scope of n's block.
var scopes = append([]*scope{
	&topScope,                              // keyword.go
	&daemonScope, &globalScope, &mailScope, // global_table.go
	&rootScope, &serviceGroupScope, &serviceScope, &serverScope, // service_table.go
	&tcpScope, &pingScope, &httpScope, &sslScope, &smtpScope, &smtpHostScope, &dnsScope, &miscScope, &udpScope, &fileCheckScope, &bfdCheckScope, &urlScope, &sslBlockScope,
}, routerScopes...)

// topScope has what stands outside any block and belongs to nobody else.
var topScope = scope{"", []keyword{
	{"global_defs", Honoured, "", nil}, // Translate begins with it: there may be many, but there is one table
}}

// Keywords returns each keyword of keepalived.conf, with what becomes of it, by scope and name.
func Keywords() []document.KeywordFate {
	var all []document.KeywordFate
	for _, s := range scopes {
		for _, k := range s.keywords {
			all = append(all, document.KeywordFate{Scope: s.name, Name: k.name, Fate: k.fate, Remark: k.remark})
		}
	}
	slices.SortFunc(all, document.KeywordFate.Compare)
	return all
}

// table is the scopes by their names.
type table map[string]*scope

func newTable() table {
	t := make(table)
	for _, s := range scopes {
		if known, ok := t[s.name]; ok {
			known.keywords = append(known.keywords, s.keywords...)
			continue
		}
		t[s.name] = &scope{s.name, slices.Clone(s.keywords)}
	}
	return t
}

// block returns the scope of a keyword's block, nil if it has none.
func (t table) block(in *scope, name string) *scope {
	if in.name == "FILE_CHECK" { // its track_file is a name
		return nil
	}
	if s := t[in.name+" "+name]; s != nil {
		return s
	}
	if name == "" {
		return nil
	}
	return t[name]
}

// keyword returns a keyword of a scope, nil if it has none of that name.
func (s *scope) keyword(name string) *keyword {
	for i := range s.keywords {
		if s.keywords[i].name == name {
			return &s.keywords[i]
		}
	}
	return nil
}

// free says whether the lines of a scope do not begin with keywords.
func (s *scope) free() bool { return len(s.keywords) == 0 }
