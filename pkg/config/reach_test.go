package config_test

import (
	"slices"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// Each check has a subject of its own, and once: that of the first server that has it.
func TestSubjects(t *testing.T) {
	cfg, problems := config.Load("ipvsd.toml", []byte(`
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
[[virtual_server.real_server]]
address = "10.0.0.1:80"
[[virtual_server.real_server.TCP_CHECK]]
[[virtual_server.real_server.TCP_CHECK]]
connect_port = 81
[[virtual_server.real_server.HTTP_GET]]
url = [{ path = "/" }]
[virtual_server.sorry_server]
address = "10.0.0.9:80"
TCP_CHECK = true
[[virtual_server]]
address = "192.0.2.1:81"
protocol = "TCP"
[[virtual_server.real_server]]
address = "10.0.0.1:80"
[[virtual_server.real_server.TCP_CHECK]]
[[virtual_server.real_server.TCP_CHECK]]
connect_port = 82
`))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	var got []string
	for _, s := range cfg.Subjects() {
		got = append(got, s)
	}
	if want := []string{
		"tcp 192.0.2.1:80, 10.0.0.1:80, HTTP_GET 1", "tcp 192.0.2.1:80, 10.0.0.1:80, TCP_CHECK 1", "tcp 192.0.2.1:80, 10.0.0.1:80, TCP_CHECK 2",
		"tcp 192.0.2.1:80, 10.0.0.9:80, TCP_CHECK 1", "tcp 192.0.2.1:81, 10.0.0.1:80, TCP_CHECK 2",
	}; !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
