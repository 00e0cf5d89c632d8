package daemon

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config/dialect"
	"github.com/ipvsd/ipvsd/pkg/config/dialect/dialecthost"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/dump"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/metrics/exporter"
	"github.com/ipvsd/ipvsd/pkg/status"
	statuspage "github.com/ipvsd/ipvsd/pkg/web"
)

// secrets are all that a configuration can hold: $ stands for them. Those that stand in files, tokens of the API, of etcd and Consul, keys of
// TLS, the password for mail, are not in it.
var secrets = []struct {
	name, text string
	open       bool // shown where the configuration is shown, as contrib/threat-model.md says, but nowhere else
}{
	{name: "webhook", text: "[webhook.W]\nurl = \"https://192.0.2.250/$\"\n"},
	{name: "auth_pass", text: instanceOf("PASS", 1, `authentication = { auth_type = "PASS", auth_pass = "$" }`)},
	{name: "auth_pass of AH", text: instanceOf("AH", 2, `authentication = { auth_type = "AH", auth_pass = "$" }`)},
	{name: "auth_hmac", text: instanceOf("HMAC", 3, `auth_hmac = { key = { 1 = "$$$$" } }`)},
	{name: "MYSQL_CHECK", text: serverOf(1, `MYSQL_CHECK = { login = "l", passwd = "$", database = "d", request = "SELECT 1" }`)},
	{name: "PGSQL_CHECK", text: serverOf(2, `PGSQL_CHECK = { login = "l", passwd = "$" }`)},
	{name: "LDAP_CHECK", text: serverOf(3, `LDAP_CHECK = { login = "cn=l", passwd = "$" }`)},
	{name: "IMAP_CHECK", text: serverOf(4, `IMAP_CHECK = { login = "l", passwd = "$" }`)},
	{name: "POP_CHECK", text: serverOf(5, `POP_CHECK = { login = "l", passwd = "$" }`)},
	{name: "FTP_CHECK", text: serverOf(6, `FTP_CHECK = { login = "l", passwd = "$" }`)},
	{name: "REDIS_CHECK", text: serverOf(7, `REDIS_CHECK = { passwd = "$" }`)},
	{name: "RADIUS_CHECK", text: serverOf(8, `RADIUS_CHECK = { login = "l", passwd = "$", secret_file = "/s" }`)},
	{name: "secret of RADIUS_CHECK", text: serverOf(9, `RADIUS_CHECK = { login = "l", passwd_file = "/p", secret = "$" }`)},
	{name: "Authorization", text: serverOf(10, `HTTP_GET = { url = { path = "/", headers = { Authorization = "Basic $" } } }`)},
	{name: "Cookie", text: serverOf(11, `HTTP_GET = { url = { path = "/", headers = { Cookie = "id=$" } } }`)},
	{name: "X-Api-Key", text: serverOf(12, `HTTP_GET = { url = [{ path = "/", headers = { X-Api-Key = "$" } }, "/b"] }`)},
	{name: "X-Auth-Token", text: serverOf(13, `SSL_GET = { url = { path = "/", headers = { X-Auth-Token = "$" } } }`)},
	{name: "passwd of all servers", text: serverOf(14, "REDIS_CHECK = { passwd = \"$\" }\n[[virtual_server.real_server]]\naddress = \"198.51.100.9:80\"")},
	{name: "query of a path", text: serverOf(15, `HTTP_GET = { url = "/health?pin=$" }`), open: true},
	{name: "body", text: serverOf(16, `HTTP_GET = { url = { path = "/", method = "POST", body = "$" } }`), open: true},
	{name: "arguments", text: serverOf(17, `MISC_CHECK = { misc_path = "/bin/true -p $" }`), open: true},
}

func instanceOf(name string, id int, line string) string {
	return fmt.Sprintf("[vrrp_instance.%s]\ninterface = \"eth0\"\nvirtual_router_id = %d\nversion = 2\nvirtual_ipaddress = [\"192.0.2.9%[2]d\"]\n%s\n", name, id, line)
}

func serverOf(n int, line string) string {
	return fmt.Sprintf("[[virtual_server]]\naddress = \"192.0.2.%d:80\"\nprotocol = \"TCP\"\nreal_servers = [\"198.51.100.%[1]d:80\"]\ndelay_loop = 3\n%s\n", n, line)
}

// forms are how a secret may come out: as it is, in hexadecimal digits, as numbers, in base64 wherever in a text it begins.
func forms(secret string) []string {
	numbers := strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]")
	list := []string{secret, hex.EncodeToString([]byte(secret)), numbers, strings.ReplaceAll(numbers, " ", ",")}
	for lead := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, lead), secret...))
		list = append(list, text[2*lead:len(text)-2]) // the first and last characters have bits of what is around it
	}
	return list
}

// with returns all of the configuration, with secrets of a generation, and which they are.
func with(generation byte) (text string, marks []string) {
	for i, s := range secrets {
		mark := fmt.Sprintf("Qz%02d%cWvX", i, generation) // auth_pass has no more than 8
		text += strings.ReplaceAll(s.text, "$", mark)
		marks = append(marks, mark)
	}
	return text, marks
}

// lookout fails where a text has a secret.
type lookout struct {
	*testing.T
	marks []string
}

// search looks for those that are not open, too, unless the text shows a configuration.
func (l lookout) search(where, text string, configuration bool) {
	l.Helper()
	for i, mark := range l.marks {
		s := secrets[i%len(secrets)]
		if s.open && configuration {
			continue
		}
		for _, form := range forms(mark) {
			if at := strings.Index(text, form); at >= 0 {
				l.Errorf("%s shows the secret %q: ...%s...", where, s.name, text[max(0, at-80):min(len(text), at+80)])
				break
			}
		}
	}
}

// Whatever is asked for, written, logged and run has none of the secrets that the configuration holds, whether it is taken, planned or
// refused. The answer of the revision has: it is for root on the socket. So has the history on the disk, which is root's alone.
func TestNoSecretIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, marks := with('a')
		other, more := with('b')
		l := lookout{t, append(marks, more...)}
		dir := t.TempDir()
		h := start(t, new(ipvstest.Kernel), dir, text, first, second)
		h.begin(nil, &control.File{Name: h.files.config, Text: []byte(text)}, h.cfg)
		h.pass(10 * time.Second)

		answers := map[string]func() (any, error){
			"status":     func() (any, error) { return h.Status(t.Context()) },
			"table":      func() (any, error) { return h.Table(t.Context(), nil) },
			"checks":     func() (any, error) { return h.Checks(t.Context(), status.CheckQuery{}, true) },
			"wishes":     func() (any, error) { return h.Wishes(t.Context()) },
			"exchange":   func() (any, error) { return h.Exchange(t.Context(), admin.Message{}) },
			"alert-test": func() (any, error) { return h.Trial(t.Context()) },
			"history":    func() (any, error) { return h.History(t.Context()) },
			"plan": func() (any, error) {
				return h.Plan(t.Context(), &control.File{Name: "other.toml", Text: []byte(other)})
			},
			"reload":      func() (any, error) { return h.Reload(t.Context(), false) },
			"rollback":    func() (any, error) { return h.Rollback(t.Context(), control.Return{}) },
			"confirm":     func() (any, error) { return h.Confirm(t.Context()) },
			"compare":     func() (any, error) { return h.Neighbors(t.Context(), "") },
			"upgrade":     func() (any, error) { return h.Upgrade(t.Context()) },
			"revision":    nil, // shows them
			"vrrp":        nil, // TestSecretsAreNotTold of package failover; dumps show what there is in the configuration, below
			"switchover":  nil,
			"audit":       nil, // has no bodies: package control's tests
			"whoami":      nil,
			"openapi":     nil,
			"connections": func() (any, error) { return collect(h.Connections(t.Context(), connection.Query{})) },
			"events":      func() (any, error) { return collect(h.Events(t.Context(), event.Query{})) },
			"probe":       func() (any, error) { return h.Probe(t.Context(), status.CheckQuery{Server: "198.51.100.1:80"}) },
			"order": func() (any, error) {
				return h.Order(t.Context(), control.Order{Verb: "drain", Server: "198.51.100.1:80"})
			},
			"apply": func() (any, error) {
				return h.Apply(t.Context(), control.Application{Name: "other.toml", Text: []byte(other)})
			},
		}
		changed := 0
		ask := func(name string) {
			answer, err := answers[name]()
			shown, _ := json.Marshal(answer) // an error's, if there is one
			l.search(name, fmt.Sprintf("%s %+v %#v %v", shown, answer, answer, err), slices.Contains([]string{"plan", "apply", "rollback"}, name))
			if a, ok := answer.(*status.Answer); ok && a != nil {
				var said strings.Builder
				if err := a.Text(&said, status.Style{}); err != nil {
					t.Error(err)
				}
				l.search(name+" as text", said.String(), true)
				changed += strings.Count(said.String(), "(hidden)")
			}
		}
		everything := func(when string) {
			t.Helper()
			w := httptest.NewRecorder()
			exporter.New("1", h.scraper().facts).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			l.search("metrics "+when, w.Body.String(), false)
			if !strings.Contains(w.Body.String(), "192.0.2.1") {
				t.Errorf("%s the metrics have nothing of the services", when)
			}
			w = httptest.NewRecorder()
			statuspage.New(&shown{owner: h.owner, routers: mute{}}, nil).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/page/state", nil))
			l.search("page "+when, w.Body.String(), false)
			for _, name := range []string{"status", "checks", "history", "events"} {
				ask(name)
			}
			l.search("log "+when, h.log.String(), false)
		}
		for _, rt := range control.Routes() {
			if _, known := answers[rt.Name]; !known {
				t.Errorf("route %s: say here what it may show", rt.Name)
			}
		}
		if f, err := h.Revision(t.Context(), 1); err != nil || string(f.Text) != text {
			t.Errorf("the revision can't be used: %v", err)
		}
		everything("of a start")
		for _, name := range []string{"table", "wishes", "exchange", "alert-test", "probe", "order", "connections", "compare", "confirm", "upgrade", "plan", "reload", "apply", "rollback"} {
			ask(name)
		}
		if changed < 2*len(secrets)/3 {
			t.Errorf("answers tell of %d secrets that change: nothing hides them", changed)
		}
		h.write(strings.Replace(other, `passwd = "`, `paswd = "`, 3) + "\n[nonsense")
		if a := h.reloaded(); a.Rejected == "" {
			t.Error("nonsense is taken")
		} else {
			l.search("what is refused", a.Rejected, true)
		}
		everything("of a refusal")
		h.write(other)
		h.reloaded()
		h.pass(5 * time.Second)
		everything("of a reload")

		d := dump.State{Config: h.cfg, Routers: new(status.VRRP), Services: h.status().Services}
		for _, i := range h.cfg.VRRP.Instances {
			d.Routers.Instances = append(d.Routers.Instances, status.VirtualRouter{Name: i.Name})
		}
		dumped, err := d.JSON(1)
		if err != nil {
			t.Fatal(err)
		}
		for _, dumped := range []string{d.Data(), d.Checks(), d.Global(), d.Stats(), string(dumped)} {
			l.search("a dump", dumped, false)
		}
		l.search("the arguments of scripts", strings.Join(h.ran.since(), "\n"), false)
		l.search("alerts", strings.Join(h.heard.list, "\n"), false)
		h.stop()
		l.search("log", h.log.String(), false)
		l.files(dir)
	})
}

// collect returns all of a sequence, as it would be sent.
func collect[T any](all iter.Seq2[T, error]) (any, error) {
	var list []T
	for v, err := range all {
		if err != nil {
			return list, err
		}
		list = append(list, v)
	}
	return list, nil
}

// Whatever is wrong with a line, or beside it, and whosever file it is, what is said of it has no secret.
func TestNoSecretIsSaid(t *testing.T) {
	foreign := map[string]string{
		"keepalived.conf": "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n authentication {\n  auth_type PASS\n  auth_pass $\n }\n virtual_ipaddress {\n  192.0.2.9\n }\n}\n",
		"ldirectord.cf":   "virtual=192.0.2.1:3306\n\treal=198.51.100.1:3306 masq\n\tservice=mysql\n\tlogin=\"l\"\n\tpasswd=\"$\"\n\tdatabase=\"d\"\n\trequest=\"SELECT 1\"\n\tprotocol=tcp\n",
	}
	said, marks := 0, make([]string, len(secrets))
	for i := range secrets {
		marks[i] = fmt.Sprintf("Qz%02dWvX", i)
	}
	l := lookout{t, marks}
	try := func(what, name, text, mark string) {
		loaded := new(dialect.Loader).Load(name, strings.ReplaceAll(text, "$", mark), dialecthost.New(), document.Settings{})
		shown := loaded.Format(loaded.Problems)
		said += strings.Count(shown, "***")
		if what == "as it is" && !strings.Contains(loaded.Text, mark) { // which is what convert prints
			t.Errorf("the secret of %s is lost in\n%s", name, loaded.Text)
		}
		l.search(what+"\n"+text, shown+fmt.Sprintf("%+v %v", loaded.Problems, loaded.Problems.Err()), what != "as it is")
	}
	for what, spoil := range map[string]func(string) string{
		"as it is":            func(s string) string { return s },
		"another kind":        strings.NewReplacer(`"$`, `["$`, `$"`, `$"]`).Replace,
		"an open quote":       strings.NewReplacer(`$"`, `$`).Replace,
		"no quote":            strings.NewReplacer(`"$"`, `$`).Replace,
		"an escape":           strings.NewReplacer(`$`, `$\q`).Replace,
		"too long":            strings.NewReplacer(`$`, strings.Repeat("$", 40)).Replace,
		"something beside":    strings.NewReplacer(`$" `, `$", nonsense = 1 `).Replace,
		"something behind":    strings.NewReplacer(`$"`, `$" nonsense`).Replace,
		"twice":               strings.NewReplacer("passwd = \"$\"", "passwd = \"$\", passwd = \"$\"", "auth_pass = \"$\"", "auth_pass = \"$\", auth_pass = \"$\"").Replace,
		"misspelt":            strings.NewReplacer("passwd =", "paswd =", "auth_pass =", "auth_pas =", "secret =", "sercet =", "passwd=", "paswd=", "auth_pass $", "auth_pas $").Replace,
		"a control character": strings.NewReplacer("$", "$\x01").Replace,
		"a file's, too":       strings.NewReplacer(`passwd = "$"`, `passwd = "$", passwd_file = "/f"`, `auth_pass = "$"`, `auth_pass = "$", auth_pass_file = "/f"`).Replace,
	} {
		for i, s := range secrets {
			try(what, "t.toml", spoil(s.text), marks[i])
		}
		for name, text := range foreign {
			try(what, name, spoil(text), marks[0])
		}
	}
	if said < 100 {
		t.Errorf("%d lines with stars: nothing hides secrets", said)
	}
}

// files looks at what a daemon has left on the disk.
func (l lookout) files(dir string) {
	kept := 0
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path == filepath.Join(dir, "ipvsd.toml") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if within, _ := filepath.Rel(dir, path); !strings.HasPrefix(within, "history/") {
			l.search(within, string(text), false)
			return nil
		}
		if kept++; info.Mode().Perm() != 0o600 {
			l.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}); err != nil {
		l.Error(err)
	}
	if kept == 0 {
		l.Error("there is no history")
	}
}
