package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const reference = "../../examples/reference.toml"

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.toml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		text := read(t, file)
		if c, found := Load(file, text); c == nil || len(found) > 0 {
			t.Errorf("%s", found.Format(text))
		}
	}
}

// The cluster of a thesis (Valencia 2018): web and DNS behind one director. wrr stands for its rr: it heeds weights.
func TestWebAndDNS(t *testing.T) {
	const file = "../../examples/web-and-dns.toml"
	c, _ := Load(file, read(t, file))
	var got strings.Builder
	for _, vs := range c.VirtualServers {
		fmt.Fprintln(&got, vs.Services[0])
		for _, rs := range vs.RealServers {
			k := rs.Checks[0].Check()
			fmt.Fprintf(&got, "  %s; %s %s every %v, at most %v\n", rs.Destination, k.Type, k.Target, k.DelayLoop, k.Timeout)
		}
	}
	want := `tcp 192.168.1.202:80 wrr
  10.0.100.2:80 NAT weight 1; HTTP_GET 10.0.100.2:80 every 3s, at most 3s
  10.0.100.3:80 NAT weight 1; HTTP_GET 10.0.100.3:80 every 3s, at most 3s
  10.0.100.4:80 NAT weight 1; HTTP_GET 10.0.100.4:80 every 3s, at most 3s
udp 192.168.1.200:53 rr
  10.0.100.5:53 NAT weight 1; DNS_CHECK 10.0.100.5:53 every 3s, at most 3s
  10.0.100.6:53 NAT weight 1; DNS_CHECK 10.0.100.6:53 every 3s, at most 3s
  10.0.100.7:53 NAT weight 1; DNS_CHECK 10.0.100.7:53 every 3s, at most 3s
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// line is a keyword as the reference shows it.
type line struct {
	number  int // from 0
	in      scope
	name    string
	off     bool // written as #name = value
	example bool // the value is no default
}

var (
	headerLine  = regexp.MustCompile(`^\s*\[+([\w.]+)\]+`)
	keywordLine = regexp.MustCompile(`^\s*(#?)([a-z][\w-]*|[A-Z]+_[A-Z]+) = `)
)

// header is the table that a header opens, and the one that it is in.
type header struct{ in, parent scope }

func referenceLines(t *testing.T) (text []string, lines []line) {
	t.Helper()
	text = strings.Split(string(read(t, reference)), "\n")
	headers := make(map[string]header)
	for name, h := range map[string]header{
		"global_defs": {inGlobal, inRoot}, "global_defs.lvs_sync_daemon": {inSync, inGlobal}, "global_defs.lvs_sysctl": {inSysctl, inGlobal}, "global_defs.metrics": {inMetrics, inGlobal},
		"global_defs.api": {inAPI, inGlobal}, "global_defs.api.token": {inToken, inAPI}, "global_defs.api.certificate_role": {inCertificateRole, inAPI},
		"global_defs.peers.LB2": {inPeer, inGlobal}, "global_defs.wishes": {inWishes, inGlobal},
		"virtual_server_group.WEB": {inGroup, inRoot}, "track_file.LOAD": {inTrackFile, inRoot}, "vrrp_track_file.OLD": {inTrackFile, inRoot}, "SSL": {inSSLDefaults, inRoot},
		"vrrp_instance.VI_I.authentication": {inAuth, inInstance}, "vrrp_instance.VI_L.authentication": {inAuth, inInstance}, "vrrp_instance.VI_6.auth_hmac": {inHMAC, inInstance},
		"virtual_server": {inVirtual, inRoot}, "virtual_server.real_server": {inReal, inVirtual},
		"virtual_server.sorry_server": {inSorry, inVirtual}, "virtual_server.members": {inMembers, inVirtual},
	} {
		headers[name] = h
		for _, t := range checkTypes {
			if h.in&(inVirtual|servers) != 0 {
				headers[name+"."+t.name] = header{t.in, h.in}
				headers[name+"."+t.name+".url"] = header{inURL, t.in}
				headers[name+"."+t.name+".host"] = header{inHost, t.in}
			}
		}
	}
	in := inRoot
	for i, l := range text {
		if m := headerLine.FindStringSubmatch(l); m != nil {
			h, known := headers[m[1]]
			name := m[1]
			if table, _, _ := strings.Cut(name, "."); !known && namedTables[table] != 0 {
				h, known, name = header{namedTables[table], inRoot}, true, table
			}
			if !known {
				t.Fatalf("line %d: what is %s?", i+1, m[1])
			}
			in = h.in
			for _, named := range []string{".WEB", ".LOAD", ".OLD", ".LB2"} { // names of the user's
				name = strings.TrimSuffix(name, named)
			}
			lines = append(lines, line{number: i, in: h.parent, name: name[strings.LastIndexByte(name, '.')+1:]})
		} else if m := keywordLine.FindStringSubmatch(l); m != nil {
			lines = append(lines, line{i, in, m[2], m[1] != "", strings.HasSuffix(l, "example")})
		}
	}
	return text, lines
}

// The reference and the table of keywords know the same words, in the same tables. What checks of several types have stands
// with one of them.
func TestReferenceIsComplete(t *testing.T) {
	_, lines := referenceLines(t)
	shown := make(map[string]bool)
	for _, l := range lines {
		if keywordsIn[l.in][l.name] == nil {
			t.Errorf("reference.toml:%d: %s knows no %s", l.number+1, l.in, l.name)
		}
		shown[fmt.Sprint(l.in, l.name)] = true
	}
	for in, known := range keywordsIn {
		for name, k := range known {
			alike := in & inChecks
			if in&inChecks != 0 {
				alike = k.in & inChecks
			} else if typeNamed[name] != nil {
				alike = k.in
			}
			if slices.ContainsFunc(scopes, func(other scope) bool { return other&alike != 0 && shown[fmt.Sprint(other, name)] }) {
				continue
			}
			if !shown[fmt.Sprint(in, name)] {
				t.Errorf("reference.toml does not show %s in %s", name, in)
			}
		}
	}
}

// Each commented keyword of the reference loads when it is uncommented. One with a default changes nothing, for the default
// is what is shown; one without effect says so; any other changes the Config.
func TestReferenceLineByLine(t *testing.T) {
	text, lines := referenceLines(t)
	base, found := Load("reference.toml", []byte(strings.Join(text, "\n")))
	if len(found) > 0 {
		t.Fatal(found)
	}
	for _, l := range lines {
		if !l.off {
			continue
		}
		before := text[l.number]
		text[l.number] = strings.Replace(before, "#", " ", 1)
		c, found := Load("reference.toml", []byte(strings.Join(text, "\n")))
		text[l.number] = before
		k := keywordsIn[l.in][l.name]
		if k != nil && k.refused != "" {
			if len(found) != 1 || c != nil || found[0].Line != l.number+1 {
				t.Errorf("line %d: %v, want one error", l.number+1, found)
			}
			continue
		}
		if c == nil || k == nil {
			t.Errorf("line %d: %v", l.number+1, found)
			continue
		}
		if k.idle != "" {
			if len(found) != 1 || !strings.Contains(found[0].Message, "no effect") || found[0].Line != l.number+1 {
				t.Errorf("line %d: %v, want one warning that %s has no effect", l.number+1, found, l.name)
			}
		} else if len(found) > 0 {
			t.Errorf("line %d: %v", l.number+1, found)
		}
		fallback := defaultOf(l.name) != nil || defaultOf(k.aliasOf) != nil ||
			l.name == "mh-fallback" || // under mh, where it is shown
			l.name == "ip_family" // the servers say it
		unchanged := k.idle != "" || !l.example && fallback
		if reflect.DeepEqual(base, c) != unchanged {
			t.Errorf("line %d: %s: Config unchanged is %t, want %t", l.number+1, l.name, !unchanged, unchanged)
		}
	}
}

// The defaults belong to keywords that have an effect, and say why they are what they are.
func TestDefaults(t *testing.T) {
	seen := make(map[string]bool)
	for _, d := range slices.Concat(defaults, defaultsUnder["mh"], defaultsOf["MISC_CHECK"], defaultsOf["BFD_CHECK"]) {
		var in scope
		for _, k := range keywords {
			if k.name == d.keyword && k.idle == "" {
				in |= k.in
			}
		}
		if in == 0 || d.value == nil || d.why == "" || seen[d.keyword] && defaultUnder("mh", d.keyword) != d.value && typeNamed["MISC_CHECK"].usual(d.keyword) != d.value {
			t.Errorf("%+v", d)
		}
		seen[d.keyword] = true
	}
}

func TestKeywordsAreWhole(t *testing.T) {
	for in, known := range keywordsIn {
		for name, k := range known {
			if k.doc == "" {
				t.Errorf("%s in %s has no description", name, in)
			}
			if k.aliasOf == "" {
				continue
			}
			if other := known[k.aliasOf]; other == nil || other.idle != k.idle || other.kind.words != k.kind.words {
				t.Errorf("%s in %s is no other name of %s", name, in, k.aliasOf)
			}
		}
	}
	for word, meant := range misspelt {
		if home(meant) == 0 {
			t.Errorf("%q is taken for %q", word, meant)
		}
		for in, known := range keywordsIn {
			if known[word] != nil && known[meant] != nil {
				t.Errorf("%s: %q is taken for %q", in, word, meant)
			}
		}
	}
}
