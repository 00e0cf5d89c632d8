package probe

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Codes and attributes of RADIUS (RFC 2865, 4 and 5; RFC 2869, 5.14).
const (
	accessRequest        = 1
	accessAccept         = 2
	accessReject         = 3
	accessChallenge      = 11
	userName             = 1
	userPassword         = 2
	replyMessage         = 18
	nasIdentifier        = 32
	messageAuthenticator = 80
	radiusHeader         = 20
)

// RADIUS asks the server to let a user in, by PAP. The request is signed with a Message-Authenticator as servers want it since
// BlastRADIUS (CVE-2024-3596). An answer's signature must be right where it is there, and its Response Authenticator in any case.
func RADIUS(ctx context.Context, c health.Check, s health.RADIUS) (f health.Finding, err error) {
	password, err := reveal(s.Password)
	if err != nil {
		return f, err
	}
	secret, err := reveal(s.Secret)
	if err != nil {
		return f, err
	}
	request, err := radiusRequest(s.Login, []byte(password), []byte(secret))
	if err != nil {
		return f, err
	}
	conn, err := dialUDP(ctx, c)
	if err != nil {
		return f, err
	}
	defer conn.Close()
	step(ctx, "Access-Request for %q", s.Login)
	return f, datagrams(ctx, conn, request, func(b []byte) (verdict, err error) {
		code, text, err := radiusAnswer(b, request, []byte(secret))
		if err != nil {
			return nil, err
		}
		name := map[byte]string{accessAccept: "Access-Accept", accessReject: "Access-Reject", accessChallenge: "Access-Challenge"}[code]
		switch {
		case name == "":
			return nil, fmt.Errorf("code %d", code)
		case code == accessAccept:
			step(ctx, "Access-Accept %q", text)
			return nil, nil
		case text == "":
			return fmt.Errorf("login refused: %s", name), nil
		}
		return fmt.Errorf("login refused: %s: %.200q", name, text), nil
	})
}

// radiusRequest returns an Access-Request. The Message-Authenticator comes first, as the attacks on it need what comes before.
func radiusRequest(login string, password, secret []byte) ([]byte, error) {
	if login == "" || len(login) > 253 || len(password) > 128 {
		return nil, errors.New("RADIUS wants a login of 1 to 253 bytes and a password of no more than 128")
	}
	p := make([]byte, radiusHeader, 256)
	if _, err := rand.Read(p[1:]); err != nil { // Identifier, Request Authenticator
		return nil, err
	}
	p[0] = accessRequest
	attribute := func(kind byte, value []byte) {
		p = append(append(p, kind, byte(2+len(value))), value...)
	}
	attribute(messageAuthenticator, make([]byte, md5.Size))
	attribute(userName, []byte(login))
	attribute(nasIdentifier, []byte("ipvsd"))
	// RFC 2865, 5.2: blocks of 16 bytes, each xored with a digest of the secret and the block before.
	hidden := make([]byte, max(1, (len(password)+15)/16)*16)
	copy(hidden, password)
	last := p[4:radiusHeader]
	for i := 0; i < len(hidden); i += 16 {
		mask := md5.Sum(append(bytes.Clone(secret), last...))
		for j := range mask {
			hidden[i+j] ^= mask[j]
		}
		last = hidden[i : i+16]
	}
	attribute(userPassword, hidden)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[radiusHeader+2:], radiusSign(p, secret))
	return p, nil
}

// radiusAnswer returns an answer's code and its text for people, or why it is no answer of the server's to the request.
func radiusAnswer(b, request, secret []byte) (code byte, text string, err error) {
	if len(b) < radiusHeader || int(binary.BigEndian.Uint16(b[2:])) > len(b) || binary.BigEndian.Uint16(b[2:]) < radiusHeader {
		return 0, "", errors.New("no packet of RADIUS")
	}
	b = bytes.Clone(b[:binary.BigEndian.Uint16(b[2:])])
	if b[1] != request[1] {
		return 0, "", errors.New("an answer to another request")
	}
	response := bytes.Clone(b[4:radiusHeader])
	copy(b[4:], request[4:radiusHeader])
	if digest := md5.Sum(append(bytes.Clone(b), secret...)); !hmac.Equal(digest[:], response) {
		return 0, "", errors.New("the answer was made with another shared secret")
	}
	for i := radiusHeader; i < len(b); i += int(b[i+1]) {
		if len(b)-i < 2 || b[i+1] < 2 || int(b[i+1]) > len(b)-i {
			return 0, "", errors.New("an attribute is cut short")
		}
		switch value := b[i+2 : i+int(b[i+1])]; b[i] {
		case replyMessage:
			text += string(value)
		case messageAuthenticator:
			got := bytes.Clone(value)
			clear(value)
			if !hmac.Equal(got, radiusSign(b, secret)) {
				return 0, "", errors.New("the Message-Authenticator is wrong")
			}
			copy(value, got)
		}
	}
	return b[0], text, nil
}

// radiusSign returns the Message-Authenticator of a packet in which that is zero and, if it is an answer, the authenticator is
// the request's.
func radiusSign(p, secret []byte) []byte {
	mac := hmac.New(md5.New, secret)
	mac.Write(p)
	return mac.Sum(nil)
}
