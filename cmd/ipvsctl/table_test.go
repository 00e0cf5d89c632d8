package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var (
	web = ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80"))
	six = ipvs.FWMarkKey(7, ipvs.IPv6)
)

// tableFake is a daemon with a table of two services.
func tableFake() *fake {
	return &fake{table: status.Kernel{
		At: at, Version: "1.2.1", Timeouts: status.Timeouts{TCP: 15 * time.Minute, TCPFin: time.Minute, UDP: time.Minute},
		Services: []status.KernelService{
			{Key: web, Scheduler: "rr", Granularity: 32, Options: []string{"rr"}, Stats: ipvs.Stats{Connections: 12345},
				Servers: []status.KernelServer{{Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: "NAT", Weight: 1}}},
			{Key: six, Scheduler: "rr", Granularity: 128, Options: []string{"rr"}},
		},
	}}
}

func TestTableVerbs(t *testing.T) {
	local := tableFake()
	local.table.Services[0].Servers[0].Forward = "LOCAL"
	for _, tt := range []struct {
		name           string
		daemon         *fake
		args           []string
		code           int
		stdout, stderr string // a part of it
	}{
		{"stats", tableFake(), []string{"stats"}, 0, "timeouts     tcp 15m0s", ""},
		{"stats of a service", tableFake(), []string{"stats", "tcp", "192.0.2.1:80"}, 0, "SERVICE / SERVER", ""},
		{"stats --human", tableFake(), []string{"stats", "--human", "tcp 192.0.2.1:80"}, 0, "12.3K", ""},
		{"stats --wide", tableFake(), []string{"stats", "--wide", "fwmark 7 inet6"}, 0, "UTHRESHOLD", ""},
		{"stats of what isn't there", tableFake(), []string{"stats", "tcp 192.0.2.1:81"}, 1, "", "tcp 192.0.2.1:81 is not in the kernel's table"},
		{"stats of no service", tableFake(), []string{"stats", "tcp"}, 2, "", `"tcp" is not a service`},
		{"stats as JSON", tableFake(), []string{"stats", "-o", "json"}, 0, `"service": "fwmark 7 inet6"`, ""},
		{"export", tableFake(), []string{"export"}, 0, "[global_defs]\nlvs_timeouts", ""},
		{"export of services", tableFake(), []string{"export", "fwmark", "7", "inet6", "tcp", "192.0.2.1:80"}, 0, "[[virtual_server]]\naddress", ""},
		{"export as ipvsadm", tableFake(), []string{"export", "--format", "ipvsadm"}, 0, "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1\n-A -f 7 -6 -s rr\n--set 900 60 60\n", ""},
		{"export with a loss", local, []string{"export"}, 1, "192.0.2.1", "left out: server 198.51.100.1:80 LOCAL"},
		{"export as JSON", tableFake(), []string{"export", "-o", "json"}, 2, "", "ipvsctl stats -o json"},
		{"export in no such format", tableFake(), []string{"export", "--format", "yaml"}, 2, "", "--format yaml"},
		{"import while a daemon runs", tableFake(), []string{"import", file(t, "-A -f 1\n")}, 1, "", "ipvsd runs (process 7)"},
		{"import of an empty file", nil, []string{"import", file(t, " \n")}, 3, "", "it is empty, and all services would go"},
		{"import of a bad file", nil, []string{"import", file(t, "-A -t x:80\n")}, 3, "", `:1:7: "x" of the service`},
		{"import of a bad file, although", tableFake(), []string{"import", "--force", file(t, "-A -t x:80\n")}, 3, "", `:1:7: "x" of the service`},
		{"import of a bad file, tried", tableFake(), []string{"import", "--dry-run", file(t, "x = 1\n")}, 3, "", `"x"`},
		{"import of no file", nil, []string{"import", "/no/such"}, 1, "", "no such file"},
		{"import in no such format", nil, []string{"import", "--format", "yaml", "-"}, 2, "", "--format yaml"},
		{"import of nothing", nil, []string{"import"}, 2, "", "the form is ipvsctl import FILE"},
		{"import, and a daemon in trouble", &fake{err: errors.New("no luck")}, []string{"import", file(t, "-A -f 1\n")}, 1, "", "is an ipvsd running? no luck"},
		{"rate too often", nil, []string{"rate", "--interval", "1s"}, 2, "", "every 2s only"},
		{"rate a negative number of times", nil, []string{"rate", "--count", "-1"}, 2, "", "--count -1"},
		{"rate of no service", nil, []string{"rate", "http"}, 2, "", `"http" is not a service`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := ctl(t, tt.daemon, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, tt.code, stdout, stderr)
			}
			if tt.stderr == "" && stderr != "" || tt.stdout == "" && stdout != "" {
				t.Errorf("unexpected output\nstdout: %s\nstderr: %s", stdout, stderr)
			}
		})
	}
}

// A file may come from standard input.
func TestTableFile(t *testing.T) {
	f, err := tableFile(strings.NewReader("-C\n"), "-")
	if err != nil || f.Name != "stdin" || string(f.Text) != "-C\n" {
		t.Errorf("%v %+v", err, f)
	}
}

// growing reads a table whose counters grow by 20 a second.
func growing(table status.Kernel) func(context.Context) (*status.Kernel, error) {
	start := time.Now()
	return func(context.Context) (*status.Kernel, error) {
		k := table
		k.At = time.Now()
		k.Services = append([]status.KernelService{}, table.Services...)
		k.Services[0].Stats.Connections += uint64(20 * time.Since(start) / time.Second)
		return &k, nil
	}
}

func TestRates(t *testing.T) {
	for _, form := range []string{"table", "json"} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{stdout: &out, stderr: io.Discard, output: form, color: "never"}
			start := time.Now()
			if err := a.rates(t.Context(), 3*time.Second, 2, growing(tableFake().table)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 6*time.Second {
				t.Errorf("two intervals took %v", took)
			}
			if form == "table" {
				if n := strings.Count(out.String(), "tcp 192.0.2.1:80                0         0             20 "); n != 2 {
					t.Errorf("%d lines with the rate:\n%s", n, out.String())
				}
				return
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			for _, line := range lines {
				var r status.Rates
				if err := json.Unmarshal([]byte(line), &r); err != nil || r.Services[0].Connections != 20 || r.Seconds != 3 {
					t.Errorf("%v %s", err, line)
				}
			}
			if len(lines) != 2 {
				t.Errorf("%d objects", len(lines))
			}
		})
	}
}

// Without a count it goes on until it is interrupted, which is no error; a table that can't be read any more is.
func TestRatesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{stdout: io.Discard, stderr: io.Discard, output: "table", color: "never"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := a.rates(ctx, 2*time.Second, 0, growing(tableFake().table)); err != nil {
			t.Error(err)
		}
		gone, read := errors.New("gone"), growing(tableFake().table)
		start := time.Now()
		err := a.rates(t.Context(), 2*time.Second, 0, func(ctx context.Context) (*status.Kernel, error) {
			if time.Since(start) > 10*time.Second {
				return nil, gone
			}
			return read(ctx)
		})
		if !errors.Is(err, gone) {
			t.Error(err)
		}
	})
}
