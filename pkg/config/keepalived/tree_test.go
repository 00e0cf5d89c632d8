package keepalived

import (
	"errors"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// outline writes nodes as a file would have them.
func outline(nodes []*Node) string {
	var b strings.Builder
	var write func(nodes []*Node, indent string)
	write = func(nodes []*Node, indent string) {
		for _, n := range nodes {
			for _, c := range n.Before {
				b.WriteString(indent + "# " + c + "\n")
			}
			b.WriteString(indent + n.Text)
			for _, a := range n.Args {
				b.WriteString(" " + a.Text)
			}
			if n.Braces {
				b.WriteString(" {")
			}
			if n.Behind != "" {
				b.WriteString(" # " + n.Behind)
			}
			b.WriteString("\n")
			write(n.Block, indent+"  ")
			for _, c := range n.Trailer {
				b.WriteString(indent + "  # " + c + "\n")
			}
		}
	}
	write(nodes, "")
	return b.String()
}

// small is some of keepalived's keywords.
func small() table {
	words := func(name string, keywords ...string) *scope {
		s := &scope{name: name}
		for _, k := range keywords {
			s.keywords = append(s.keywords, keyword{name: k})
		}
		return s
	}
	known := table{}
	for _, s := range []*scope{
		words("", "global_defs", "vrrp_instance", "vrrp_script", "virtual_server"),
		words("global_defs", "router_id"), words("vrrp_script", "script", "weight"),
		words("vrrp_instance", "interface", "virtual_router_id", "priority", "virtual_ipaddress", "authentication", "notify"),
		words("virtual_ipaddress"), words("authentication", "auth_type", "auth_pass"),
		words("virtual_server", "protocol", "real_server"), words("real_server", "weight", "TCP_CHECK"), words("TCP_CHECK", "connect_port"),
	} {
		known[s.name] = s
	}
	return known
}

// parsed returns the outline of a text, and what is said of it.
func parsed(text string) (tree, said string) {
	t := &translation{Writer: new(document.Writer), host: files{}}
	root, _ := t.parse("k", []byte(text), document.Settings{}, small(), normal)
	found := t.Document("", nil).Found.With(nil)
	var b strings.Builder
	for _, d := range found {
		b.WriteString(strings.TrimPrefix(d.String(), "k:") + "\n")
		if d.Hint != "" {
			b.WriteString("  " + d.Hint + "\n")
		}
	}
	tree = outline(root.Block)
	for _, c := range root.Trailer {
		tree += "# " + c + "\n"
	}
	return tree, b.String()
}

// Blocks are read as keepalived 2.2.7 does, broken ones too: its messages about the same texts name the same lines.
func TestTree(t *testing.T) {
	var b strings.Builder
	for _, test := range []struct{ name, text string }{
		{"all on one line", "vrrp_instance V { interface a\nauthentication { auth_type PASS auth_pass x } virtual_ipaddress { 10.0.0.1 10.0.0.2\n10.0.0.3 } priority 5 }"},
		{"the brace elsewhere", "vrrp_instance V\n\n# c\n     {\nvirtual_ipaddress\n{\n10.0.0.1{\n} }\npriority{"},
		{"glued", "virtual_server 10.0.0.1 80{\nreal_server 10.0.0.2 80{\nweight 1}}"},
		{"comments", `! head

# of the instance
vrrp_instance V { # behind
  priority 5 ! behind priority
  # of the list
  virtual_ipaddress {
    10.0.0.1 # one
    #10.0.0.2
  } # behind the list
  # last
}
# end`},
		{"an unknown block", "vrrp_instance V {\ninterface a\nbadblk {\npriority 7\n}\npriority 99\nvirtual_ipaddress { 10.0.0.1 }\n}\nvirtual_server 10.0.0.9 80 {\nprotocol TCP\n}"},
		{"an unknown block outside", "bal_defs {\nrouter_id A\n}\nfoo bar\nglobal_defs {\nrouter_id B\n}"},
		{"a keyword without a block has one", "vrrp_instance V {\npriority 5 {\nfoo\n}\ninterface a\n}"},
		{"no brace", "vrrp_instance V\ninterface a\npriority 5\n}\nvrrp_instance W {\n}"},
		{"a list without a brace", "vrrp_instance V {\nvirtual_ipaddress\n10.0.0.1\npriority\n}\npriority 5\n}"},
		{"a list that is not closed", "vrrp_instance V {\nvirtual_ipaddress {\n10.0.0.1\npriority 5\n}\nvrrp_instance W {\npriority 6\n}\n}"},
		{"a list with a block", "vrrp_instance V {\nvirtual_ipaddress {\nfoo {\n10.0.0.1\n}\n10.0.0.2\n}\npriority 5\n}"},
		{"a block without brace, closed", "vrrp_instance V {\nauthentication }\npriority 5\n}"},
		{"another process's block in one", "vrrp_instance V {\nvirtual_server 10.0.0.1 80 {\nprotocol TCP\n}\npriority 5\n}\nvirtual_server 10.0.0.2 80 {\n}"},
		{"an instance that is not closed", "vrrp_instance V {\ninterface a\nvrrp_instance W {\npriority 5\n}\nvirtual_server 10.0.0.2 80 {\n}"},
		{"a script that is not closed", "vrrp_script s {\nscript \"x\nvrrp_instance W {\npriority 5\n}\n"},
		{"a brace too many", "vrrp_instance V {\npriority 5\n}\n}\nvrrp_instance W {\n}"},
		{"a shell prompt", "[root@host ~]# cat /etc/k.conf\nglobal_defs {\nrouter_id A\n}"},
		{"quotes of a command", "vrrp_instance V {\nnotify '/bin/n \"a b\"' us\"e\"r\n}"},
		{"misspelt", "vrrp_instance V {\nprioritty 5\ninterfaces a\nconnect_prot 5\n}\nRouter_id A\nVRRP_instance x {\n}"},
	} {
		tree, said := parsed(test.text)
		b.WriteString("==== " + test.name + "\n" + test.text + "\n---- is\n" + tree + "---- said\n" + said)
	}
	golden.Check(t, "testdata/tree.golden", []byte(b.String()))
}

// A million braces are told of in a few words.
func TestFlood(t *testing.T) {
	for _, text := range []string{strings.Repeat("{", 1_000_000), strings.Repeat("}", 1_000_000), strings.Repeat("{\n}", 300_000), strings.Repeat("vrrp_instance V{", 100_000)} {
		if _, said := parsed(text); strings.Count(said, "warning") > 2*normal.findings+2 || !strings.Contains(said, "more like this") {
			t.Errorf("%d messages", strings.Count(said, "warning"))
		}
	}
}

// A block that is not closed is one mistake, whichever of keepalived's processes look at it.
func TestNotClosed(t *testing.T) {
	for _, text := range []string{"virtual_server 192.0.2.1 80 {\n", "vrrp_instance V {\n", "global_defs {\n", "bfd_instance B {\n", "track_file F {\n"} {
		d := Translate("a.conf", []byte(text), director{}, document.Settings{})
		if report := d.Format(d.Found); strings.Count(report, " is not closed: ") != 1 || !strings.Contains(report, "takes all that follows for its own") {
			t.Errorf("%s: got\n%s", text, report)
		}
	}
}

// once is a host of which no file can be read twice.
type once struct {
	files
	read map[string]bool
}

func (o once) ReadFile(name string) ([]byte, error) {
	if o.read[name] {
		return nil, errors.New("it was read before")
	}
	o.read[name] = true
	return o.files.ReadFile(name)
}

// Where blocks are not closed each of keepalived's processes has its own view, and all of them are of one moment.
func TestViewsAreOfOneMoment(t *testing.T) {
	text := "include a.conf\nvirtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.0.2 80 {\n}\nvrrp_instance V {\ninterface eth0\n}\n"
	host := once{files{"/etc/a.conf": "virtual_server 10.0.0.3 80 {\nprotocol TCP\nreal_server 10.0.0.4 80 {\n}\n}\n"}, map[string]bool{}}
	d := Translate("/etc/k.conf", []byte(text), host, document.Settings{})
	if len(host.read) != 1 || !strings.Contains(d.Text, "10.0.0.3:80") || !strings.Contains(d.Text, "10.0.0.1:80") || len(d.Sources) != 2 {
		t.Errorf("%v\n%s", host.read, d.Text)
	}
	said := d.Format(d.Found)
	if strings.Contains(said, "read before") || strings.Count(said, "is not closed") != 1 {
		t.Errorf("%s", said)
	}
}
