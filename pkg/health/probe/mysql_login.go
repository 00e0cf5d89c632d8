package probe

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// Capabilities, of which these are also what a check has.
const (
	mysqlWithDatabase = 1 << 3
	mysqlTLS          = 1 << 11
	mysqlCapabilities = 1<<0 /* long password */ | 1<<9 /* protocol of 4.1 */ | 1<<15 /* authentication of 4.1 */ | 1<<19 /* methods */
)

// Ways to log in. Servers use the first since 4.1, MySQL the second since 8.0.
const (
	nativePassword = "mysql_native_password"
	cachingSHA2    = "caching_sha2_password"
)

// hello is the server's greeting.
type hello struct {
	version string
	flags   uint32
	salt    []byte // 20 bytes
	method  string
}

// greeting reads and understands protocol version 10: version, 0, thread, 8 bytes of salt, 0, flags, character set, status, flags,
// length of the salt, 10 bytes, the rest of the salt with a 0, method, 0.
func (m *mysql) greeting() (h hello, err error) {
	b, err := m.read()
	if err != nil {
		return h, err
	}
	version, rest, ended := bytes.Cut(b[1:], []byte{0})
	if b[0] != 10 || !ended || len(rest) < 44 {
		return h, errors.New("no greeting of MySQL")
	}
	method, _, _ := bytes.Cut(rest[44:], []byte{0})
	return hello{
		version: string(version),
		flags:   uint32(binary.LittleEndian.Uint16(rest[13:])) | uint32(binary.LittleEndian.Uint16(rest[18:]))<<16,
		salt:    append(bytes.Clone(rest[4:12]), rest[31:43]...),
		method:  string(method),
	}, nil
}

// preface is what a request for TLS and a login begin with: flags, the largest packet, character set (utf8), 23 bytes.
func preface(flags uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, mysqlCapabilities|flags)
	b = binary.LittleEndian.AppendUint32(b, mysqlPacket)
	return append(append(b, 33), make([]byte, 23)...)
}

// requestTLS says that TLS begins.
func (m *mysql) requestTLS(h hello) error {
	switch {
	case h.flags&mysqlTLS == 0:
		return errors.New("the server has no TLS")
	case m.in.Buffered() > 0:
		return errors.New("the server said more than it was asked before TLS began")
	}
	m.flags = mysqlTLS
	return m.write(preface(m.flags))
}

// login returns nil when the server has let us in.
func (m *mysql) login(h hello, user, password, database string) error {
	method := h.method
	if method != cachingSHA2 {
		method = nativePassword // if the account has another, the server says so
	}
	flags := m.flags
	if database != "" {
		flags |= mysqlWithDatabase
	}
	proof := prove(method, h.salt, password)
	b := append(append(preface(flags), user...), 0, byte(len(proof)))
	b = append(b, proof...)
	if database != "" {
		b = append(append(b, database...), 0)
	}
	if err := m.write(append(append(b, method...), 0)); err != nil {
		return err
	}
	salt := h.salt
	for range 4 { // the server may switch once, and then want more
		b, err := m.read()
		if err != nil {
			return err
		}
		switch {
		case b[0] == mysqlOK:
			return nil
		case b[0] == mysqlEOF:
			name, rest, _ := bytes.Cut(b[1:], []byte{0})
			method, salt = string(name), bytes.TrimSuffix(rest, []byte{0})
			if method != nativePassword && method != cachingSHA2 {
				return fmt.Errorf("the account has the method %.40q; a check can only %s and %s", method, nativePassword, cachingSHA2)
			}
			err = m.write(prove(method, salt, password))
		case b[0] == mysqlMore && method == cachingSHA2 && len(b) == 2 && b[1] == 3: // the server knew the password, OK follows
		case b[0] == mysqlMore && method == cachingSHA2 && len(b) == 2 && b[1] == 4: // it wants to see it
			err = m.show(salt, password)
		default:
			err = errNotMySQL
		}
		if err != nil {
			return err
		}
	}
	return errNotMySQL
}

// prove shows that the password is known without telling it.
func prove(method string, salt []byte, password string) []byte {
	sum := func(make func() hash.Hash, parts ...[]byte) []byte {
		h := make()
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	if password == "" {
		return nil
	}
	var once, mask []byte
	if method == nativePassword { // SHA1(p) ^ SHA1(salt + SHA1(SHA1(p)))
		once = sum(sha1.New, []byte(password))
		mask = sum(sha1.New, salt, sum(sha1.New, once))
	} else { // SHA256(p) ^ SHA256(SHA256(SHA256(p)) + salt)
		once = sum(sha256.New, []byte(password))
		mask = sum(sha256.New, sum(sha256.New, once), salt)
	}
	subtle.XORBytes(once, once, mask)
	return once
}

// show tells the password: as it is within TLS, and otherwise with the server's public key, as MySQL's own clients do.
func (m *mysql) show(salt []byte, password string) error {
	plain := append([]byte(password), 0)
	if m.encrypted {
		return m.write(plain)
	}
	if err := m.write([]byte{2}); err != nil { // the key, please
		return err
	}
	b, err := m.read()
	if err != nil {
		return err
	}
	block, _ := pem.Decode(b[1:])
	if b[0] != mysqlMore || block == nil || len(salt) == 0 {
		return errNotMySQL
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("the server's key: %w", err)
	}
	public, is := key.(*rsa.PublicKey)
	if !is {
		return errors.New("the server's key is not of RSA")
	}
	for i := range plain {
		plain[i] ^= salt[i%len(salt)]
	}
	hidden, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public, plain, nil)
	if err != nil {
		return fmt.Errorf("the server's key: %w", err)
	}
	return m.write(hidden)
}
