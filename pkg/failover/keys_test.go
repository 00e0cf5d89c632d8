package failover

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Keys and the password come from files, into a copy: what the configuration says stays as it is, so that no dump has them.
func TestSecretsOfFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := &config.Instance{PasswordFile: file("pass", "hunter2\r\nmore\n")}
	c.Auth.Type = vrrp.AuthPASS
	c.HMAC = &vrrp.HMAC{}
	c.KeyFiles = map[uint8]string{3: file("key", strings.Repeat("k", minKey)+"\n")}
	s, err := readSecrets(c)
	if err != nil {
		t.Fatal(err)
	}
	i := (&member{config: c, secrets: s}).instance()
	if i.Auth.Password != [8]byte{'h', 'u', 'n', 't', 'e', 'r', '2'} || string(i.HMAC.Keys[3]) != strings.Repeat("k", minKey) {
		t.Errorf("%q %v", i.Auth.Password, i.HMAC)
	}
	if c.Auth.Password != [8]byte{} || len(c.HMAC.Keys) > 0 {
		t.Errorf("they are in the configuration, too: %q %v", c.Auth.Password, c.HMAC)
	}
	for name, text := range map[string]string{"long": "hunter2hunter2\n", "empty": "\nhunter2\n"} {
		c := &config.Instance{PasswordFile: file(name, text)}
		s, err := readSecrets(c)
		if s != nil || err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), c.PasswordFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A virtual router with secrets, written or in files that are good, spoiled or gone, shows none in its status, its lines, the log and the arguments
// of scripts.
func TestSecretsAreNotTold(t *testing.T) {
	const mark = "Qz7WvXyq"
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		dir := t.TempDir()
		write := func(name, text string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		written, kept := instance("VI_1", 51), instance("VI_2", 52)
		written.Auth.Type = vrrp.AuthPASS
		copy(written.Auth.Password[:], mark)
		written.HMAC = &vrrp.HMAC{Keys: map[uint8][]byte{1: []byte(strings.Repeat(mark, 4))}, Active: 1}
		kept.PasswordFile, kept.KeyFiles, kept.HMAC = write("p", mark), map[uint8]string{1: write("k", strings.Repeat(mark, 4))}, &vrrp.HMAC{Active: 1}
		for _, spoil := range []func(){
			func() {},
			func() { write("p", strings.Repeat(mark, 2)) },
			func() { write("p", mark); write("k", "hex:"+mark) },
			func() { write("k", strings.Repeat(mark, 1000)) },
			func() { _ = os.Remove(kept.PasswordFile) },
		} {
			spoil()
			again := *kept
			s.Change(&config.VRRP{Instances: []*config.Instance{written, &again}})
			synctest.Wait()
			s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active), became("VI_1", vrrp.Active, vrrp.Fault)})
			told := fmt.Sprint(s.told(), s.lines())
			st, err := s.Status(t.Context())
			shown, failed := json.Marshal(st)
			if err != nil || failed != nil {
				t.Fatal(err, failed)
			}
			for where, text := range map[string]string{"what is told": told, "the status": string(shown) + fmt.Sprintf("%+v", st), "the log": s.log.String()} {
				for _, form := range []string{mark, hex.EncodeToString([]byte(mark)), strings.Trim(fmt.Sprintf("%d", []byte(mark)), "[]"), base64.StdEncoding.EncodeToString([]byte(mark))[:10]} {
					if strings.Contains(text, form) {
						t.Errorf("%s has %s: %s", where, form, text)
					}
				}
			}
		}
		if !strings.Contains(s.log.String(), "hexadecimal digits only") {
			t.Errorf("nothing is said of a key that is none:\n%s", s.log)
		}
		s.stop()
	})
}

// An instance whose files can't be read goes on with the secrets of before only if those are all that it needs.
func TestSecretsOfBefore(t *testing.T) {
	key := &secrets{keys: map[uint8][]byte{1: []byte("k")}}
	password := &secrets{password: [8]byte{'p'}}
	both := &secrets{keys: key.keys, password: password.password}
	keys := func(active uint8) config.Instance {
		c := config.Instance{KeyFiles: map[uint8]string{1: "/k", 2: "/l"}}
		c.HMAC = &vrrp.HMAC{Active: active}
		return c
	}
	pass := config.Instance{PasswordFile: "/p"}
	for name, v := range map[string]struct {
		before *secrets
		now    config.Instance
		want   bool
	}{
		"the same key is sent":     {key, keys(1), true},
		"another key is sent":      {key, keys(2), false},
		"the same password":        {password, pass, true},
		"a password after both":    {both, pass, true},
		"a password after a key":   {key, pass, false},
		"a key after a password":   {password, keys(1), false},
		"a password after nothing": {nil, pass, false},
	} {
		if got := v.before.cover(&v.now); got != v.want {
			t.Errorf("%s: %v", name, got)
		}
		if v.want {
			(&member{config: &v.now, secrets: v.before}).instance()
		}
	}
}

// A pipe that nobody writes to holds up nobody.
func TestSecretInPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSecrets(&config.Instance{PasswordFile: path}); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Error(err)
	}
}
