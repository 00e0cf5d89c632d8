package keepalived

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// files are a host that has nothing but files.
type files map[string]string

func (f files) ReadFile(name string) ([]byte, error) {
	if text, ok := f[name]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (f files) Glob(pattern string) (names []string, err error) {
	for name := range f {
		if ok, _ := path.Match(pattern, name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (files) Getenv(name string) string               { return map[string]string{"SITE": "west"}[name] }
func (files) Hostname() string                        { return "high.example" }
func (files) LookupPort(string, string) uint16        { return 0 }
func (files) LookupHost(string) ([]string, error)     { return nil, errors.New("there are no names here") }
func (files) LookPath(program string) (string, error) { return program, nil }
func (files) HasAccount(string, string) bool          { return true }

// read returns the words of each statement of a file, and the messages.
func read(text string, host document.Host, limits limits) (lines, said []string) {
	r := &reader{host: host, say: new(document.Writer), limits: limits, id: "high", variables: map[string][]source{}, missed: map[string]bool{}, sources: map[string]string{}}
	r.stack = []feed{r.file("/etc/k.conf", text)}
	for {
		s, ok := r.next()
		if !ok {
			break
		}
		for _, p := range s.parts {
			found := words(nil, p.source)
			var line []string
			for _, w := range found {
				line = append(line, w.Text)
			}
			lines = append(lines, strings.Join(line, "|"))
		}
	}
	for _, d := range r.say.Document("", nil).Found {
		said = append(said, d.String())
	}
	return lines, said
}

// What keepalived 2.2.7 makes of a text, as its log tells.
func TestRead(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"comments", "aa#b\ncc!d\nee\\#f\n\"ii#j\"\n'kk#l'\n! x\n#y\n  # z\n", []string{"aa", "cc", "ee", "ii#j", "'kk"}},
		{"quotes", "\"mm nn\"\n'oo pp'\nqq\"rr ss\"tt\nuu'vv ww'xx\ny\\ z\n\"\" z\nA\"\"B", []string{
			"mm nn", "'oo|pp'", "qq|rr ss|tt", "uu'vv|ww'xx", `y\|z`, "|z", "A||B",
		}},
		{"quotes without partner", "\"a3\na4\"\nstate \"FOO\n\"a2\\\"b\"", []string{"", "a4", "state", `a2\|b`}},
		{"braces", "b1{b2}b3\n{\n}\nb4 \"{\" b5\n\"{b6}\"", []string{"b1", "{", "b2", "}", "b3", "{", "}", "b4|{|b5", "{b6}"}},
		{"a backslash at the end", "b8\\\nb9", []string{`b8\`, "b9"}},
		{"blanks", "\tt\tu\r\nbar\rbaz\nx\x00y z\n\vvt\fff\n\u00a0nbsp", []string{"t|u", "bar|baz", "x", "vt|ff", "\u00a0nbsp"}},
		{"mark", "\ufeffbom1\nfoo", []string{"bom1", "foo"}},

		{"conditions", `@high a1 x
@low a2
@^high a3
@^low a4
  @low a5
@high	a6
@highx a7
@ a8
@^ a9
@high
@low
@@high a10
@^low @low a11
foo @low a13
@high@low a14
@high{ a15 }
@"high" a16
@HIGH a18`, []string{"a1|x", "a4", "a6", "a9", "foo|@low|a13"}},

		{"variables", `$A=foo
$A
${A}x
$Ax
x$A
x$A.y
$A/b
$B
$C=a b  c
p$C
$C x
$D="a b"
$D
$E=
x${E}y
$E
$E z
 $F=1
f$F
$A=bar
$G=${A}z
$A=baz
$G
$9=x
$A $A
"$A b" $A
"x ${A} y"
\$A
$$A
$A${A}
$A	tab
[${A}]
$a-b=x
$L=l1 {
$L
}
$M=m1 { m2 }
$M
$P=@high
$P yes
$Q=@no
$Q no
$S=$T
$T=tt
s$S
$U=$V
x$U
$E2=$F2=g
$E2
f$F2`, []string{
			"foo", "foox", "$Ax", "xfoo", "x$A.y", "$A/b", "$B", "pa|b|c", "a|b|c|x", "a b", "xy", "z", "f1", "bazz", "$9=x",
			"baz|baz", "baz b|baz", "x baz y", `\baz`, "$baz", "$Abaz", "baz|tab", "[baz]", "$a-b=x", "l1", "{", "}", "m1", "{", "m2", "}",
			"yes", "stt", "x$V", "fg",
		}},
		{"comments and variables", "$I=#x\ni$I\n$J=foo # comment\nj[${J}]\n$K=foo ! x\nk[${K}]\nd${_HASH}x\n\"e${_BANG}x\"", []string{"i", "j[foo]", "k[foo]", "d", "e!x"}},
		{"variables of lines", `$A= \
a1 x \
a2 y \
  @high a3 \
  @no a4 \
  # comment \
a5 # c \
a6 \

a7
$A
$B=b0 \
b1
$B
x $A
$A y
$C=\
c1 \
c2
$C
$D= \ 
d1
$D
$E= \
e1 { \
  $F=1 \
  e2$F \
}
$E
f$F
q3$A
q7 $C $C
$G= \
g1 \
$C \
g2
$G
@no $H= \
h1 \
h2
@high $I= \
i1
$I`, []string{
			"a7", "a1|x", "a2|y", "a3", "a5", "a6", "b0", "b1", "x|a1|x", "a2|y", "a3", "a5", "a6", "$A|y", "c1", "c2", "d1", "e1", "{", "e21", "}", "f1",
			"q3a1|x", "a2|y", "a3", "a5", "a6", "q7|$C|c1", "c2", "g1", "c1", "c2", "g2", `h1|\`, "h2", "i1",
		}},
		{"predefined", "a${_PWD}\nb${_INSTANCE}\nc${_RANDOM 5 5}\nf${_ENV SITE}\ng$_PWD\ni${_RANDOM 7 5}\nk${_FOO}\nj${_RANDOM a}", []string{
			"a/etc", "bhigh", "c5", "fwest", "g/etc", "i7", "k$", "{", "_FOO", "}", "j$", "{", "_RANDOM|a", "}",
		}},
		{"sequences", `~SEQ(A,1,3) a${A}
~SEQ(B,2) b${B}
~SEQ(C,0,2,6) c$C
~SEQ(D,3,1) d${D}
~SEQ(E,-2) e${E}
~SEQx(F,9,11) f${F}
~SEQ(G, 0x9, 0xb) g${G}
~SEQ(H,1,2) ~SEQ(I,3,4) h${H}i${I}
~SEQ(J,1,0,3) j${J}
~SEQ(K,0) k${K}
~SEQ(L,1,-1,3) l${L}
~SEQ(M) m$M
~SEQ(N,1,2)n${N}
~SEQ (O,1,2) o${O}
~SEQ(Q,1,2) q${Q} { qq }
~SEQ(A,1,2) again${A}
after${A}
~SEQ(S,a,2) s${S}
~SEQ(T,1,2,3,4) t${T}
$NN=2
~SEQ(V,1,$NN) v${V}
~SEQ(W,1,${NN}) w${W}
@high ~SEQ(X,1,2) x${X}
~SEQ(Y,1,2) @high y${Y}
~SEQ(Z,08,10) z${Z}`, []string{
			"a1", "a2", "a3", "b1", "b2", "c0", "c2", "c4", "c6", "d3", "d2", "d1", "e-1", "e-2", "f9", "fa", "fb", "g9", "g10", "g11",
			"h1i3", "h1i4", "h2i3", "h2i4", "k1", "k0", "n1", "n2", "o1", "o2", "q1", "{", "qq", "}", "q2", "{", "qq", "}",
			"again1", "again2", "after2", "v1", "v2", "w1", "w2", "x1", "x2", "y1", "y2",
		}},
		{"lists", `~LST(A,1,2,x y) a${A}
~LST({B,C},{1,2},{3,4}) b${B}c${C}
~LST({D, E}, {1,2}, {3,4}) d${D}e${E}
~LST(F,1) f${F}
~LST(G) g${G}
~LST({H,I},{1},{2,3,4}) h${H}i${I}
~LST(K, a , b) k${K}.
~LST(L,,x) l${L}
~LST(M,1,2) ~SEQ(N,1,2) m${M}n${N}
~LST(O,1,2) $P=${O}
p$P
~LST(Q,1,2
~LSTx(R,1,2) r${R}
~FOO(S,1) s
~ t`, []string{
			"b1c2", "b3c4", "d1e2", "d3e4", "f1", "ka.", "kb.", "l", "lx", "m1n1", "m1n2", "m2n1", "m2n2", "p2", "~FOO(S,1)|s", "~|t",
		}},
		{"sequences of lines", "$A= \\\na$N { \\\n  b${N} x \\\n}\n~SEQ(N,1,2) $A\n$B= \\\n~SEQ(M,1,2) c${M} \\\nd\n$B\n$I=~SEQ(J,1,2) j${J}\n$I", []string{
			"a1", "{", "b1|x", "}", "a2", "{", "b2|x", "}", "c1", "c2", "d", "j1", "j2",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, said := read(test.text, files{}, normal)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("words (-want +got):\n%s%s", diff, strings.Join(said, "\n"))
			}
		})
	}
}

// What keepalived hands to a program, as the program saw it.
func TestShellWords(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
		err  bool
	}{
		{`"/bin/echo 'b c' d\e"`, []string{"/bin/echo 'b c' de"}, false},
		{`/bin/echo b "c d"`, []string{"/bin/echo", "b", "c d"}, false},
		{`"b \"c d\" x"`, []string{`b "c d" x`}, false},
		{`"\x41 \101 x"`, []string{"A A x"}, false},
		{`"a \\ x"`, []string{`a \ x`}, false},
		{`'/bin/echo "b c" d'`, []string{`/bin/echo "b c" d`}, false},
		{`"a" b"c" d`, []string{"a", "bc", "d"}, false},
		{`ec\ho" x "'y z'w`, []string{"echo x y zw"}, false},
		{`"'a\b' c\\d \. \$"`, []string{"'a\b' c\\d . $"}, false},
		{`\x4142 \x4g \1013 \18 \n \cA \C \E`, []string{"B", "\x04g", "A3", "\x018", "\n", "\x01", "C", "\x1b"}, false},
		{`''`, []string{""}, false},
		{`"a`, nil, true},
		{`x'"'"'y`, []string(nil), true},
		{`a \`, []string{"a"}, true},
	} {
		found, err := shellWords(source{text: test.text, line: 1, column: 1})
		var got []string
		for _, w := range found {
			got = append(got, w.Text)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || (err != "") != test.err {
			t.Errorf("%s (%s): %s", test.text, err, diff)
		}
	}
}

// Each file's includes are beside it, whatever included it, and conditions and variables count in all of them.
func TestInclude(t *testing.T) {
	host := files{
		"/etc/sub/a.conf":    "a1\ninclude b.conf\na2${_PWD}\n$Q=1",
		"/etc/sub/b.conf":    "b1\n",
		"/etc/sub/nonl.conf": "nonl",
		"/etc/sub/quoted":    "x",
		"/etc/loop.conf":     "include loop.conf\ns",
	}
	for _, test := range []struct {
		name, text string
		want, said []string
	}{
		{"relative", "m1\ninclude sub/a.conf\nm2$Q\n", []string{"m1", "a1", "b1", "a2/etc/sub", "m21"}, nil},
		{"wildcard", "include sub/*.conf", []string{"a1", "b1", "a2/etc/sub", "b1", "nonl"}, nil},
		{"braces", "include sub/{b,nonl}.conf", []string{"b1", "nonl"}, nil},
		{"a comment behind", " include   /etc/sub/b.conf # x", []string{"b1"}, nil},
		{"after a brace", "x { include sub/b.conf\n}", []string{"x", "{", "b1", "}"}, nil},
		{"after an opening brace, with a closing one", "x{include sub/b.conf}", []string{"x", "{"}, []string{"/etc/k.conf:1:11: warning: there is no file /etc/sub/b.conf}"}},
		{"repeated, with a condition and a variable", "$D=sub\n@high ~SEQ(Q,1,2) include ${D}/b.conf", []string{"b1", "b1"}, nil},
		{"in a variable", "$B= \\\ninclude sub/b.conf \\\nb\n$B", []string{"b1", "b"}, nil},
		{"no include", "include\nincludex sub/b.conf\nINCLUDE sub/b.conf", []string{"include", "includex|sub/b.conf", "INCLUDE|sub/b.conf"}, nil},
		{"missing", "include nothing\ninclude sub/c*", nil, []string{
			"/etc/k.conf:1:9: warning: there is no file /etc/nothing", "/etc/k.conf:2:9: warning: there is no file /etc/sub/c*",
		}},
		{"missed", "includem nothing\nincludew sub/c*\nincludeb sub/{b,x}.conf\nincluder nothing", []string{"b1"}, []string{
			"/etc/k.conf:1:10: there is no file /etc/nothing", "/etc/k.conf:2:10: there is no file /etc/sub/c*",
			"/etc/k.conf:3:10: there is no file /etc/sub/x.conf", "/etc/k.conf:4:10: warning: there is no file /etc/nothing",
		}},
		{"more strictly", "include_check match wildcard_match\ninclude nothing\ninclude_check -match\ninclude nothing\ninclude_check\ninclude sub/c*", []string{
			"include_check|match|wildcard_match", "include_check|-match", "include_check",
		}, []string{
			"/etc/k.conf:2:9: there is no file /etc/nothing", "/etc/k.conf:4:9: warning: there is no file /etc/nothing", "/etc/k.conf:6:9: there is no file /etc/sub/c*",
		}},
		{"in quotes", `include "sub/b.conf"`, nil, []string{
			"/etc/k.conf:1:9: warning: to keepalived the quotes are part of the file's name", `/etc/k.conf:1:9: warning: there is no file /etc/"sub/b.conf"`,
		}},
		{"itself", "include loop.conf", nil, []string{"/etc/loop.conf:1:9: includes and variables are more than 64 deep"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, said := read(test.text, host, normal)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.said, said); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// What has no end is refused, soon.
func TestBombs(t *testing.T) {
	for name, text := range map[string]string{
		"itself":          "$A=$A\n$A",
		"part of itself":  "$A=b${A}c\n$A",
		"doubled":         "$A=bbbbbbbbbb\n" + strings.Repeat("$B=${A}${A}\n$A=${B}${B}\n", 20) + "x $A\n",
		"of itself":       "$A= \\\nb \\\n$A\n$A",
		"nested":          "~SEQ(A,1,999999999) ~SEQ(B,1,999999999) ~SEQ(C,1,999999999) x",
		"many, and empty": "~SEQ(A,1,2147483647) $B=1",
		"sequence within": "$X=~SEQ(A,1,9) $X\n$X",
	} {
		limits := normal
		limits.lines = 10_000
		if lines, said := read(text, files{}, limits); len(said) != 1 || len(lines) > 10_000 {
			t.Errorf("%s: %d lines, %q", name, len(lines), said)
		}
	}
}
