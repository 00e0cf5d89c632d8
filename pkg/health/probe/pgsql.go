package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// PgSQL logs in to a PostgreSQL server, and asks a query, which must have a row, or an empty one.
func PgSQL(ctx context.Context, c health.Check, s health.PgSQL) (f health.Finding, err error) {
	config, err := pgConfig()
	if err != nil {
		return f, err
	}
	config = config.Copy()
	config.User, config.Database = s.Login, s.Database
	if config.Password, err = reveal(s.Password); err != nil {
		return f, err
	}
	config.Host, config.Port = c.Target.Addr().String(), c.Target.Port()
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{config.Host}, nil }
	w := &witness{}
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if w.Conn != nil { // for a request to cancel, when the check's time is over
			return nil, net.ErrClosed
		}
		conn, err := dialTLS(ctx, c, answerLimit, s.TLS, &f, startTLSofPgSQL, "postgresql")
		if err != nil {
			w.end = err
			return nil, err
		}
		w.Conn = conn
		return w, nil
	}
	step(ctx, "login as %q to database %q", s.Login, s.Database)
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return f, w.testify(ctx, pgAnswer("login refused", err))
	}
	defer func() {
		_ = conn.Close(ctx)
		<-conn.CleanupDone()
	}()
	step(ctx, "query %s", s.Query)
	results := conn.Exec(ctx, s.Query)
	row := false
	for !row && results.NextResult() {
		row = results.ResultReader().NextRow()
	}
	if s.Query == "" {
		return f, w.testify(ctx, pgAnswer("query", results.Close()))
	}
	if !row {
		if err := results.Close(); err != nil {
			return f, w.testify(ctx, pgAnswer("query", err))
		}
		return f, fmt.Errorf("query: %w", errNoRow)
	}
	return f, nil
}

// startTLSofPgSQL asks for TLS, by the message SSLRequest. Implicitly it is since PostgreSQL 17.
func startTLSofPgSQL(conn net.Conn) error {
	if _, err := conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}); err != nil {
		return err
	}
	answer := make([]byte, 1)
	switch _, err := io.ReadFull(conn, answer); {
	case err != nil:
		return err
	case answer[0] == 'S':
		return nil
	case answer[0] == 'N':
		return errors.New("the server has no TLS")
	}
	return fmt.Errorf("no answer of PostgreSQL to SSLRequest: %q", answer)
}

// pgConfig returns what the client starts from. It would take what is missing from the environment and from files in the home
// directory, and complain of what is wrong there. All that it looks for is said here; of a service it can't be told otherwise.
var pgConfig = sync.OnceValues(newPgConfig)

func newPgConfig() (*pgconn.Config, error) {
	if err := os.Unsetenv("PGSERVICE"); err != nil {
		return nil, err
	}
	config, err := pgconn.ParseConfig("host=127.0.0.1 port=5432 user=ipvsd password=none dbname=ipvsd sslmode=disable sslcert='' sslkey='' " +
		"sslrootcert='' sslpassword='' sslsni=1 sslcertmode=allow sslnegotiation=postgres connect_timeout=0 target_session_attrs=any " +
		"min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth=''")
	if err != nil {
		return nil, err
	}
	config.RuntimeParams = map[string]string{"application_name": "ipvsd"}
	config.MaxProtocolMessageBodyLen = answerLimit
	return config, nil
}

// pgAnswer puts the server's answer into words, if err is one. Of other errors it is what they are made of: the client tells them
// with user, database and address.
func pgAnswer(what string, err error) error {
	var answer *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer):
		return worded{what + ": " + answer.Error(), err}
	}
	return innermost(err)
}

// innermost returns the first of the errors that an error is made of.
func innermost(err error) error {
	for {
		switch outer := err.(type) { //nolint:errorlint // each layer is looked at
		case interface{ Unwrap() error }:
			if outer.Unwrap() == nil {
				return err
			}
			err = outer.Unwrap()
		case interface{ Unwrap() []error }:
			if len(outer.Unwrap()) == 0 {
				return err
			}
			err = outer.Unwrap()[0]
		default:
			return err
		}
	}
}
