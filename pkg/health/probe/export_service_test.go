package probe

import (
	"bufio"
	"io"
	"net"
)

// What has tests of its own.
var (
	ParseAgent    = parseAgent
	ParsePassive  = parsePassive
	ParseServing  = parseServing
	PgConfig      = newPgConfig
	RadiusAnswer  = radiusAnswer
	RadiusRequest = radiusRequest
	ReadRESP      = readRESP
	ReadSIP       = readSIP
	Reveal        = reveal
)

// SpeakMySQL logs in and asks a query of a server whose part is known.
func SpeakMySQL(server io.Reader, user, password, query string) error {
	m := &mysql{Conn: deaf{}, in: bufio.NewReader(server)}
	h, err := m.greeting()
	if err == nil {
		err = m.login(h, user, password, "")
	}
	if err == nil {
		err = m.query(query)
	}
	return err
}

// deaf is a connection that takes everything.
type deaf struct{ net.Conn }

func (deaf) Write(b []byte) (int, error) { return len(b), nil }
