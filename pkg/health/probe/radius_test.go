package probe_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"testing"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

const longPassword = "s3cret, and more of it than fits two blocks of 16"

var radiusSpec = health.RADIUS{Login: "ipvsd", Password: password, Secret: health.Secret{Text: "shared-s3cret"}}

// radiusServer answers as layeh.com/radius, which others wrote, understands a request; nothing if the request isn't right.
func radiusServer(t *testing.T, request []byte, spoil func(*radius.Packet)) []byte {
	secret := []byte("shared-s3cret")
	p, err := radius.Parse(request, secret)
	if err != nil {
		t.Errorf("request: %v", err)
		return nil
	}
	unsigned := bytes.Clone(request)
	at := bytes.Index(unsigned, rfc2869.MessageAuthenticator_Get(p))
	clear(unsigned[at : at+16])
	mac := hmac.New(md5.New, secret)
	mac.Write(unsigned)
	if !radius.IsAuthenticRequest(request, secret) || !hmac.Equal(mac.Sum(nil), rfc2869.MessageAuthenticator_Get(p)) || at != 22 {
		t.Errorf("the request is not signed as it should be, first of all")
	}
	answer := p.Response(radius.CodeAccessReject)
	if given := rfc2865.UserPassword_GetString(p); rfc2865.UserName_GetString(p) == "ipvsd" && (given == "s3cret" || given == longPassword) {
		answer.Code = radius.CodeAccessAccept
	}
	if answer.Code == radius.CodeAccessReject {
		rfc2865.ReplyMessage_SetString(answer, "go away")
	}
	spoil(answer)
	b, err := answer.Encode()
	if err != nil {
		t.Error(err)
	}
	return b
}

// sign adds a Message-Authenticator, wrong by some bits.
func sign(t *testing.T, wrong byte) func(*radius.Packet) {
	return func(p *radius.Packet) {
		if err := rfc2869.MessageAuthenticator_Set(p, make([]byte, 16)); err != nil {
			t.Error(err)
		}
		b, err := p.MarshalBinary()
		if err != nil {
			t.Error(err)
		}
		copy(b[4:], p.Authenticator[:]) // the request's
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		mac := hmac.New(md5.New, p.Secret)
		mac.Write(b)
		sum := mac.Sum(nil)
		sum[0] ^= wrong
		if err := rfc2869.MessageAuthenticator_Set(p, sum); err != nil {
			t.Error(err)
		}
	}
}

func TestRADIUSFaults(t *testing.T) {
	faultsUDP(t, of(radiusSpec), func(b []byte) []byte { return radiusServer(t, b, sign(t, 0)) })
}

func TestRADIUS(t *testing.T) {
	long := radiusSpec
	long.Password = health.Secret{Text: longPassword}
	wrong := radiusSpec
	wrong.Password = health.Secret{Text: "wrong"}
	for _, test := range []struct {
		name  string
		spec  health.RADIUS
		spoil func(*radius.Packet)
		want  string
	}{
		{"a good answer", radiusSpec, sign(t, 0), ""},
		{"one without a signature", radiusSpec, func(*radius.Packet) {}, ""},
		{"a long password", long, sign(t, 0), ""},
		{"a wrong password", wrong, sign(t, 0), `login refused: Access-Reject: "go away"`},
		{"a challenge", radiusSpec, func(p *radius.Packet) { p.Code = radius.CodeAccessChallenge }, "login refused: Access-Challenge"},
	} {
		at, end := serverUDP(t, func(b []byte, send func([]byte) error) { send(radiusServer(t, b, test.spoil)) })
		if _, text, _ := toldAt(t, test.spec, at); text != test.want {
			t.Errorf("%s: %q; want %q", test.name, text, test.want)
		}
		end()
	}
}

// What is no answer of the server's is not taken for one, whatever it says.
func TestRADIUSAnswersThatAreNone(t *testing.T) {
	secret := []byte("shared-s3cret")
	request, err := probe.RadiusRequest("ipvsd", []byte("s3cret"), secret)
	if err != nil {
		t.Fatal(err)
	}
	good := radiusServer(t, request, sign(t, 0))
	if code, _, err := probe.RadiusAnswer(good, request, secret); code != 2 || err != nil {
		t.Errorf("code %d, %v; want 2", code, err)
	}
	if _, _, err := probe.RadiusAnswer(radiusServer(t, request, sign(t, 1)), request, secret); err == nil || err.Error() != "the Message-Authenticator is wrong" {
		t.Errorf("%v; want that the Message-Authenticator is wrong", err)
	}
	if _, _, err := probe.RadiusAnswer(good, request, []byte("another")); err == nil || err.Error() != "the answer was made with another shared secret" {
		t.Errorf("%v; want that the secret is another", err)
	}
	for i := range good {
		spoilt := bytes.Clone(good)
		spoilt[i] ^= 4
		if _, _, err := probe.RadiusAnswer(spoilt, request, secret); err == nil {
			t.Errorf("byte %d is wrong, and nobody sees it", i)
		}
	}
}

func FuzzRADIUS(f *testing.F) {
	secret := []byte("shared-s3cret")
	request, err := probe.RadiusRequest("ipvsd", []byte("s3cret"), secret)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{2, request[1], 0, 22, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 80, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		// Signed, so that attributes are looked at.
		if len(b) >= 20 {
			b[1] = request[1]
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
			copy(b[4:20], request[4:20])
			sum := md5.Sum(append(bytes.Clone(b), secret...))
			copy(b[4:20], sum[:])
		}
		if code, _, err := probe.RadiusAnswer(b, request, secret); err == nil && code != b[0] {
			t.Errorf("code %d of %x", code, b)
		}
	})
}
