package ipvsadm

import (
	"fmt"
	"slices"
	"strings"
)

// value says whether an option takes a value.
type value uint8

const (
	none value = iota
	must
	may // -p and -b: the next word, unless it is an option
)

// option is an option of ipvsadm 1.31 or, if in is empty, one of its commands.
type option struct {
	name  string // its long form
	short byte   // 0: none
	value value
	in    string // short forms of the commands that take it; those without one have a letter of ours
}

// Letters for commands without a short form.
const (
	setTimeouts = 's'
	startDaemon = 'b'
	stopDaemon  = 'x'
)

var commands = []option{
	{name: "add-service", short: 'A'},
	{name: "edit-service", short: 'E'},
	{name: "delete-service", short: 'D'},
	{name: "clear", short: 'C'},
	{name: "restore", short: 'R'},
	{name: "save", short: 'S'},
	{name: "add-server", short: 'a'},
	{name: "edit-server", short: 'e'},
	{name: "delete-server", short: 'd'},
	{name: "list", short: 'L'},
	{name: "list", short: 'l'},
	{name: "zero", short: 'Z'},
	{name: "help", short: 'h'},
	{name: "set"},
	{name: "start-daemon", value: must},
	{name: "stop-daemon", value: must},
}

const (
	onServices = "AED"
	onServers  = "aed"
	onAny      = onServices + onServers + "Z"
)

var options = []option{
	{"tcp-service", 't', must, onAny},
	{"udp-service", 'u', must, onAny},
	{"sctp-service", 0, must, onAny},
	{"fwmark-service", 'f', must, onAny},
	{"ipv6", '6', none, onAny},
	{"scheduler", 's', must, "AE"},
	{"persistent", 'p', may, "AE"},
	{"netmask", 'M', must, "AE"},
	{"pe", 0, must, "AE"},
	{"sched-flags", 'b', may, "AE"},
	{"ops", 'o', none, "AE"},
	{"real-server", 'r', must, onServers},
	{"gatewaying", 'g', none, "ae"},
	{"ipip", 'i', none, "ae"},
	{"masquerading", 'm', none, "ae"},
	{"tun-type", 0, must, "ae"},
	{"tun-port", 0, must, "ae"},
	{"tun-nocsum", 0, none, "ae"},
	{"tun-csum", 0, none, "ae"},
	{"tun-remcsum", 0, none, "ae"},
	{"weight", 'w', must, "ae"},
	{"u-threshold", 'x', must, "ae"},
	{"l-threshold", 'y', must, "ae"},
	{"syncid", 0, must, string(startDaemon)},
	{"sync-maxlen", 0, must, string(startDaemon)},
	{"mcast-interface", 0, must, string(startDaemon)},
	{"mcast-group", 0, must, string(startDaemon)},
	{"mcast-port", 0, must, string(startDaemon)},
	{"mcast-ttl", 0, must, string(startDaemon)},
	// Of listings, which are not for a file.
	{"numeric", 'n', none, ""},
	{"connection", 'c', none, ""},
	{"timeout", 0, none, ""},
	{"daemon", 0, none, ""},
	{"stats", 0, none, ""},
	{"rate", 0, none, ""},
	{"thresholds", 0, none, ""},
	{"persistent-conn", 0, none, ""},
	{"tun-info", 0, none, ""},
	{"sort", 0, none, ""},
	{"nosort", 0, none, ""},
	{"exact", 0, none, ""},
}

// letter returns what stands for a command in option.in.
func (o *option) letter() byte {
	switch o.name {
	case "set":
		return setTimeouts
	case "start-daemon":
		return startDaemon
	case "stop-daemon":
		return stopDaemon
	}
	return o.short
}

// find returns the command or option that a function is true of, nil if there is none.
func find(is func(*option) bool) (o *option, command bool) {
	for _, list := range [][]option{commands, options} {
		for i := range list {
			if is(&list[i]) {
				return &list[i], len(list) == len(commands)
			}
		}
	}
	return nil, false
}

// word is a part of a line and where it begins; columns are those of config.Position.
type word struct {
	text   string
	column int
	line   int
}

// split appends the words of a line, without the comment that may end it and the name of the program that may begin it.
func split(words []word, text string, line int) []word {
	column, from, begin := 0, -1, 0
	add := func(to int) {
		if from >= 0 {
			words = append(words, word{text: text[from:to], column: begin, line: line})
		}
		from = -1
	}
	for i, c := range text {
		column++
		switch blank := c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; {
		case blank:
			add(i)
		case from < 0 && c == '#':
			return program(words)
		case from < 0:
			from, begin = i, column
		}
	}
	add(len(text))
	return program(words)
}

func program(words []word) []word {
	if len(words) > 0 && (words[0].text == "ipvsadm" || strings.HasSuffix(words[0].text, "/ipvsadm")) {
		return words[1:]
	}
	return words
}

// command is a line, taken apart.
type command struct {
	*option
	at        word             // the option that names the command
	state     word             // of --start-daemon and --stop-daemon
	arguments []word           // of --set
	options   map[string]given // until the next line is read
	broken    bool             // something is wrong with the line, and told
}

// given is an option as it is written.
type given struct {
	*option
	at    word
	value word // the option itself, if it has none
}

// commandLine takes a line apart. It reports what is wrong with it and says whether it can be carried out.
func (r *reader) commandLine(words []word) (c command, ok bool) {
	clear(r.options)
	c.options = r.options
	before := len(r.found)
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		switch {
		case strings.HasPrefix(w.text, "--") && len(w.text) > 2:
			name, val, attached := strings.Cut(w.text[2:], "=")
			o, isCommand := find(func(o *option) bool { return o.name == name })
			rest := word{val, w.column + len("--") + len([]rune(name)) + 1, w.line}
			words = r.take(&c, o, isCommand, w, rest, attached, words)
		case strings.HasPrefix(w.text, "-") && len(w.text) > 1:
			words = r.cluster(&c, w, words)
		case c.option != nil && c.letter() == setTimeouts && len(c.arguments) < 3:
			c.arguments = append(c.arguments, w)
		default:
			r.fail(w, "", "unexpected argument %q", w.text)
		}
	}
	if c.broken = len(r.found) > before; c.broken {
		return c, c.option != nil // it is carried out as far as it is clear, lest what depends on it be wrong, too
	}
	if c.option == nil {
		r.fail(r.first, "a line begins with a command such as -A or --add-service", "the line has no command")
		return c, false
	}
	return c, true
}

// cluster takes options in short form, several of which can stand together: -At 192.0.2.1:80.
func (r *reader) cluster(c *command, w word, words []word) []word {
	for i := 1; i < len(w.text); i++ {
		short := w.text[i]
		o, isCommand := find(func(o *option) bool { return o.short == short && short != 0 })
		this := word{"-" + string(rune(short)), w.column + i, w.line}
		if i == 1 {
			this.column = w.column
		}
		if o == nil {
			r.fail(w, "", "ipvsadm has no option %q", w.text)
			return words
		}
		if o.value == none {
			words = r.take(c, o, isCommand, this, word{}, false, words)
			continue
		}
		rest := word{w.text[i+1:], w.column + i + 1, w.line}
		attached := rest.text != ""
		if strings.HasPrefix(rest.text, "=") {
			rest.text, rest.column = rest.text[1:], rest.column+1
		}
		return r.take(c, o, isCommand, this, rest, attached, words)
	}
	return words
}

// take notes an option with its value: the text that is attached to it, or else the next word. It returns the words left.
func (r *reader) take(c *command, o *option, isCommand bool, at, rest word, attached bool, words []word) []word {
	switch {
	case o == nil:
		r.fail(at, nearest(at.text), "ipvsadm has no option %q", at.text)
		return words
	case attached && o.value == none:
		r.fail(at, "", "--%s takes no value", o.name)
		return words
	}
	val := at
	if o.value != none {
		val = word{"", at.column, at.line}
		next := len(words) > 0 && (o.value == must || !strings.HasPrefix(words[0].text, "-"))
		switch {
		case attached:
			val = rest
		case next:
			val, words = words[0], words[1:]
		case o.value == must:
			r.fail(at, "", "%s needs a value", at.text)
			return words
		}
	}
	if isCommand {
		if c.option != nil {
			r.fail(at, "write a line for each command", "the line has a command already: %s", c.at.text)
			return words
		}
		c.option, c.at = o, at
		if o.value != none {
			c.state = val
		}
		return words
	}
	if _, again := c.options[o.name]; again {
		r.fail(at, "", "%s is there twice", at.text)
		return words
	}
	c.options[o.name] = given{o, at, val}
	return words
}

// nearest returns a hint for a long option that doesn't exist: ipvsadm takes no abbreviations.
func nearest(text string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(text, "--"), "=")
	if name == "" {
		return ""
	}
	var like []string
	for _, list := range [][]option{commands, options} {
		for i := range list {
			if strings.HasPrefix(list[i].name, name) && !slices.Contains(like, "--"+list[i].name) {
				like = append(like, "--"+list[i].name)
			}
		}
	}
	if len(like) == 0 {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", strings.Join(like, " or "))
}
