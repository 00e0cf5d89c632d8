package probe

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// reply makes an echo request the reply to it, as the kernel hands it to a kind of socket.
func reply(e *echo, request []byte) []byte {
	b := bytes.Clone(request)
	if b[0] = 129; e.v4 {
		b[0] = 0
	}
	if e.v4 && e.raw {
		b = append([]byte{0x46, 23: 0}, b...) // with options
	}
	return b
}

func kinds(t testing.TB) map[string]*echo {
	t.Helper()
	return map[string]*echo{
		"ping, v4": {v4: true, id: 7, seq: 8}, "ping, v6": {id: 7, seq: 8},
		"raw, v4": {v4: true, raw: true, id: 7, seq: 8}, "raw, v6": {raw: true, id: 7, seq: 8},
	}
}

func TestPingKnowsItsAnswer(t *testing.T) {
	for kind, e := range kinds(t) {
		request, err := e.request()
		if err != nil {
			t.Fatal(err)
		}
		good := reply(e, request)
		if err := e.answers(good); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		// Whatever bit is another, but for those that don't matter: the code, the checksum, which is the kernel's, the IP header's,
		// and the identifier that the kernel sets.
		start := len(good) - len(request)
		for i := range good {
			ignored := i < start || i >= start+1 && i <= start+3 || !e.raw && (i == start+4 || i == start+5)
			wrong := bytes.Clone(good)
			if wrong[i] ^= 0x80; i == 0 && start > 0 {
				continue // the version of IP
			}
			if err := e.answers(wrong); (err == nil) != ignored {
				t.Errorf("%s: with byte %d of %d another: %v", kind, i, len(good), err)
			}
			if err := e.answers(good[:i]); err == nil {
				t.Errorf("%s: %d bytes of %d are an answer", kind, i, len(good))
			}
		}
		if err := e.answers(request); err == nil {
			t.Errorf("%s: a request is an answer", kind)
		}
	}
}

func TestPingsDiffer(t *testing.T) {
	for kind, e := range kinds(t) {
		one, err := e.request()
		if err != nil {
			t.Fatal(err)
		}
		if id := binary.BigEndian.Uint16(one[4:]); id != 7 || binary.BigEndian.Uint16(one[6:]) != 8 {
			t.Errorf("%s: %x", kind, one)
		}
		if _, err := e.request(); err != nil || e.answers(reply(e, one)) == nil {
			t.Errorf("%s: the answer to another request is one, %v", kind, err)
		}
	}
}

func FuzzPingAnswer(f *testing.F) {
	list := kinds(f)
	for _, e := range list {
		request, err := e.request()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(reply(e, request))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for kind, e := range list {
			if e.answers(b) == nil && !bytes.HasSuffix(b, e.token[:]) {
				t.Errorf("%s: %x is an answer", kind, b)
			}
		}
	})
}
