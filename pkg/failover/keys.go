package failover

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Lengths of a key of auth_hmac, in bytes.
const minKey, maxKey = 32, 64

// readKeys reads the keys that stand in files.
func readKeys(files map[uint8]string) (map[uint8][]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	keys := make(map[uint8][]byte, len(files))
	for id, path := range files {
		key, err := readKey(path)
		if err != nil {
			return nil, fmt.Errorf("key %d of auth_hmac: %w", id, err)
		}
		keys[id] = key
	}
	return keys, nil
}

// readKey reads one. What is in it is in no error.
func readKey(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 4*maxKey))
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

// instance returns an instance as the Runner needs it: with all its keys.
func (m *member) instance() vrrp.Instance {
	i := m.config.Instance
	if len(m.keys) > 0 {
		hmac := *i.HMAC
		hmac.Keys = maps.Clone(hmac.Keys)
		if hmac.Keys == nil {
			hmac.Keys = make(map[uint8][]byte)
		}
		maps.Copy(hmac.Keys, m.keys)
		i.HMAC = &hmac
	}
	return i
}
