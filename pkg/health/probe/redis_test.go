package probe_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// redisServer answers commands, which are written with blanks between their words.
func redisServer(answers map[string]string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			var n int
			if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
				return
			}
			var words []string
			for range n {
				var size int
				if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
					return
				}
				word := make([]byte, size+2)
				if _, err := io.ReadFull(r, word); err != nil {
					return
				}
				words = append(words, string(word[:size]))
			}
			answer, known := answers[strings.Join(words, " ")]
			if !known {
				answer = "-ERR unknown command"
			}
			if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
				return
			}
		}
	}
}

const master = "*3\r\n$6\r\nmaster\r\n:3129659\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n9001\r\n$7\r\n3129242"

func TestRedisFaults(t *testing.T) {
	faults(t, of(health.Redis{Login: "ipvsd", Password: password, Role: "master"}),
		redisServer(map[string]string{"AUTH ipvsd s3cret": "+OK", "PING": "+PONG", "ROLE": master}))
}

func TestRedis(t *testing.T) {
	pong := map[string]string{"PING": "+PONG", "ROLE": master}
	verdicts(t, []verdict{
		{"no login", health.Redis{}, redisServer(pong), ""},
		{"a login that is missing", health.Redis{}, redisServer(map[string]string{"PING": "-NOAUTH Authentication required."}),
			"PING: NOAUTH Authentication required."},
		{"a password alone", health.Redis{Password: password}, redisServer(map[string]string{"AUTH s3cret": "+OK", "PING": "+PONG"}), ""},
		{"a wrong one", health.Redis{Login: "ipvsd", Password: password},
			redisServer(map[string]string{"AUTH ipvsd s3cret": "-WRONGPASS invalid username-password pair or user is disabled."}),
			"login refused: WRONGPASS invalid username-password pair or user is disabled."},
		{"one that leaves", health.Redis{Password: password}, says(""), "login: the server closed the connection"},
		{"still loading", health.Redis{}, redisServer(map[string]string{"PING": "-LOADING Redis is loading the dataset in memory"}),
			"PING: LOADING Redis is loading the dataset in memory"},
		{"a PING with another answer", health.Redis{}, redisServer(map[string]string{"PING": "+PING"}), `PING: the server says "PING"; want "PONG"`},
		{"as a bulk string", health.Redis{}, redisServer(map[string]string{"PING": "$4\r\nPONG"}), ""},
		{"a nil", health.Redis{}, redisServer(map[string]string{"PING": "$-1"}), `PING: no answer of Redis: "$-1"`},
		{"an integer", health.Redis{}, redisServer(map[string]string{"PING": ":1"}), `PING: no answer of Redis: ":1"`},
		{"the role", health.Redis{Role: "master"}, redisServer(pong), ""},
		{"the other role", health.Redis{Role: "slave"}, redisServer(pong), `ROLE: the server says "master"; want "slave"`},
		{"HTTP", health.Redis{}, says("HTTP/1.1 400 Bad Request\r\n\r\n"), `PING: no answer of Redis: "HTTP/1.1 400 Bad Request"`},
	})
}

func FuzzRESP(f *testing.F) {
	for _, text := range []string{"+OK\r\n", "-ERR x\r\n", "$3\r\nabc\r\n", master, "*1\r\n*1\r\n+x\r\n", "$99999999999\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := probe.ReadRESP(bufio.NewReader(strings.NewReader(text)))
		if err == nil && !strings.Contains(text, got) {
			t.Errorf("%q of %q", got, text)
		}
	})
}
