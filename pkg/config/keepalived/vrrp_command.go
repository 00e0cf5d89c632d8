package keepalived

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// program is a command line of a file, as ipvsd takes it.
type program struct {
	argv        []string
	user, group string
	missing     error // it can't be run on this host, for which keepalived drops it
}

// value is a command as a keyword of TOML takes it: a text, or a list of it, user and group.
func (p program) value() any {
	line := config.JoinCommand(p.argv)
	switch {
	case p.user == "":
		return line
	case p.group == "":
		return []string{line, p.user}
	}
	return []string{line, p.user, p.group}
}

// operators are what a shell would act on. keepalived runs no shell: its programs get these words.
var operators = []string{"&&", "||", "|", ";", ">", ">>", "<", "2>&1", "2>", "&", "&>"}

// command reads a command line, which is one word of the file: in quotes if it has arguments. A user and a group may follow.
// Not ok is what keepalived leaves out.
func (t *translation) command(n *Node, words []Word) (p program, ok bool) {
	if len(words) == 0 {
		t.Error(n.At, "write a command behind it, or leave the line out", "nothing follows %s: keepalived stops here", n.Text)
		return p, false
	}
	w := words[0]
	argv, err := config.SplitCommand(w.Text)
	switch {
	case err != nil:
		t.ignored(w, "write a backslash before each quote within the quotes", "%s", err)
		return p, false
	case len(argv) == 0:
		t.ignored(w, "write a command, or leave the line out", "the command of %s is empty", n.Text)
		return p, false
	case strings.HasPrefix(argv[0], "<"):
		// What keepalived can't split it hands to the shell; this is how people try a port without a program.
		t.Warn(w.At, "a check of its own, such as TCP_CHECK of a virtual_server, needs no shell", "the command begins with %s: a shell runs it", argv[0])
		argv = []string{"/bin/sh", "-c", w.Text}
	}
	if i := slices.IndexFunc(argv, func(a string) bool { return slices.Contains(operators, a) }); i > 0 {
		t.Warn(w.At, `write "/bin/sh -c '...'" if a shell is meant`, "%s is an argument of %s: keepalived runs commands without a shell, and so does ipvsd", argv[i], argv[0])
	}
	if p.argv = argv; len(words) > 1 {
		p.user = words[1].Text
		if len(words) > 2 {
			p.group = words[2].Text
		}
		if !t.account(words[1], p.user, p.group) {
			hint := "write a user, and a group, that this host has"
			if !w.Quoted {
				hint = "write the command with its arguments in double quotes"
			}
			t.skipped(words[1], hint, "behind the command stands its user, and there is none called %q", strings.TrimSpace(p.user+" "+p.group))
			return p, false
		}
	}
	switch path, err := t.host.LookPath(argv[0]); {
	case err != nil && !t.elsewhere:
		p.missing = err
	case err != nil && strings.HasPrefix(argv[0], "/"):
		t.Warn(w.At, "", "%s can't be run on this host (%v): keepalived goes without it where that is so", argv[0], err)
	case err != nil, !strings.HasPrefix(path, "/"):
		t.Warn(w.At, "write where the program is", "%s is not found on this host; /usr/bin/%[1]s is taken for it", argv[0])
		argv[0] = "/usr/bin/" + argv[0]
	case path != argv[0]:
		t.Note(w.At, "", "%s is %s here", argv[0], path)
		argv[0] = path
	}
	return p, true
}

// runs remembers that a command is run: what keepalived says of scripts it says of all of them.
func (t *translation) runs(w Word, user string) {
	if user == "" && t.vrrp.nobody || numeric(user) {
		return // not with keepalived
	}
	if t.vrrp.command == nil {
		t.vrrp.command = &w
	}
	if user == "" && t.vrrp.unowned == nil {
		t.vrrp.unowned = &w
	}
}

// guard tells what keepalived says of the file's commands, when they have all been seen.
func (t *translation) guard() {
	var security, user *Node
	for _, n := range t.root {
		if n.Text == "global_defs" {
			security, user = cmp.Or(t.block(n, "enable_script_security"), security), cmp.Or(t.block(n, "script_user"), user)
		}
	}
	const account = "keepalived_script"
	switch w := t.vrrp.unowned; {
	case t.vrrp.command != nil && security == nil:
		t.Bare()
		t.Note(t.vrrp.command.At, "write enable_script_security in global_defs, if keepalived shall run the file, too",
			"keepalived -t ends with code 6, since scripts run and enable_script_security is not there; ipvsd runs none that others could exchange, in any case")
	case w != nil && security != nil && user == nil && !t.elsewhere && !t.host.HasAccount(account, ""):
		t.Assume(w.At, "write script_user in global_defs", "there is no script_user, and this host has no account %s: keepalived goes without scripts that name no user; here the user of ipvsd runs them", account)
	}
}

// numeric says whether an account is named by its number.
func numeric(account string) bool {
	name, _, _ := strings.Cut(account, " ")
	_, rest := leading(name)
	return name != "" && rest == ""
}

// account says whether a user, and a group if there is one, can be used.
func (t *translation) account(w Word, user, group string) bool {
	has := t.host.HasAccount(user, group)
	if !has && t.elsewhere {
		t.Warn(w.At, "if it is no user: a command with arguments stands in double quotes",
			"this host has no account %q: keepalived goes without what is run for it where that is so", strings.TrimSpace(user+" "+group))
	}
	for _, name := range []string{user, group} {
		if has && numeric(name) {
			t.Assume(w.At, "write the name", "%s is a number: keepalived knows names only, and goes without what is run for it; here it runs", name)
		}
	}
	return has || t.elsewhere
}

// notify is a keyword with a command for transitions. The first one counts; one that can't be run doesn't.
func notify(t *translation, n *Node) {
	if t.has(n.Text) {
		t.ignored(n.Word, "leave one of them out", "there is a %s already", n.Text)
		return
	}
	p, ok := t.command(n, n.Args)
	if !ok {
		return
	}
	if p.missing != nil {
		t.skipped(n.Args[0], "write where a program is that can be run", "%s: %v", p.argv[0], p.missing)
		return
	}
	t.runs(n.Args[0], p.user)
	t.put(n, n.Text, p.value())
}
