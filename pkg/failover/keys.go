package failover

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"syscall"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Lengths of a key of auth_hmac, in bytes.
const minKey, maxKey = 32, 64

// secrets are what the files have that an instance names.
type secrets struct {
	keys     map[uint8][]byte // of auth_hmac, by ID
	password [8]byte          // auth_pass_file
}

// readSecrets reads them; nil is that there are no files.
func readSecrets(c *config.Instance) (*secrets, error) {
	if len(c.KeyFiles) == 0 && c.PasswordFile == "" {
		return nil, nil
	}
	s := &secrets{keys: make(map[uint8][]byte, len(c.KeyFiles))}
	for id, path := range c.KeyFiles {
		key, err := readKey(path)
		if err != nil {
			return nil, fmt.Errorf("key %d of auth_hmac: %w", id, err)
		}
		s.keys[id] = key
	}
	if c.PasswordFile != "" {
		text, err := readStart(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("auth_pass_file: %w", err)
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 || len(line) > len(s.password) {
			return nil, fmt.Errorf("auth_pass_file: the first line of %s has %d bytes: a password has 1 to %d", c.PasswordFile, len(line), len(s.password))
		}
		copy(s.password[:], line)
	}
	return s, nil
}

// cover says whether an instance can go on with them: what it sends may not be signed with nothing.
func (s *secrets) cover(c *config.Instance) bool {
	if s == nil || c.PasswordFile != "" && s.password == [8]byte{} {
		return false
	}
	return c.HMAC == nil || c.KeyFiles[c.HMAC.Active] == "" || s.keys[c.HMAC.Active] != nil
}

// readKey reads one. What is in it is in no error.
func readKey(path string) ([]byte, error) {
	text, err := readStart(path)
	if err != nil {
		return nil, err
	}
	key := bytes.TrimRight(text, "\r\n")
	if digits, isHex := bytes.CutPrefix(key, []byte("hex:")); isHex {
		if key, err = hex.DecodeString(string(digits)); err != nil {
			return nil, fmt.Errorf("%s: behind hex: come pairs of hexadecimal digits only", path)
		}
	}
	if len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("%s: a key has %d to %d bytes, not %d", path, minKey, maxKey, len(key))
	}
	return key, nil
}

// readStart reads as much of a file as a secret can have.
func readStart(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // the daemon waits for no other end of a pipe
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a regular file", path))
	}
	return io.ReadAll(io.LimitReader(file, 4*maxKey))
}

// instance returns an instance as the Runner needs it: with all its keys, and its password.
func (m *member) instance() vrrp.Instance {
	i := m.config.Instance
	if m.secrets == nil {
		return i
	}
	if len(m.secrets.keys) > 0 && i.HMAC != nil { // those of before may have more
		hmac := *i.HMAC
		hmac.Keys = maps.Clone(hmac.Keys)
		if hmac.Keys == nil {
			hmac.Keys = make(map[uint8][]byte)
		}
		maps.Copy(hmac.Keys, m.secrets.keys)
		i.HMAC = &hmac
	}
	if m.config.PasswordFile != "" {
		i.Auth.Password = m.secrets.password
	}
	return i
}
