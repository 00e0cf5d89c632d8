package probe_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

func TestAgentFaults(t *testing.T) { faults(t, of(health.Agent{}), says("up 50%\n")) }

// HAProxy 2.6's configuration manual, 5.2, agent-check.
func TestAgentsWords(t *testing.T) {
	drained := health.Advice{Kind: health.Weigh}
	percent := func(n int32) health.Advice { return health.Advice{Kind: health.Percent, Value: n} }
	for _, test := range []struct {
		line string
		want health.Advice
		err  string
	}{
		{line: "up\n"},
		{line: "ready\r\n"},
		{line: "up ready", want: health.Advice{}},
		{line: "75%\n", want: percent(75)},
		{line: "75%", want: percent(75)},
		{line: "0%\n", want: percent(0)},
		{line: "UP,\t150% maxconn:30\n", want: percent(150)},
		{line: "maxconn:30 up\n"},
		{line: "drain\n", want: drained},
		{line: "maint\n", want: drained},
		{line: "50% drain up\n", want: drained},
		{line: "ready maint 50%\n", want: drained},
		{line: "up#all is well\n"},
		{line: "down\n", err: "the agent says down"},
		{line: "fail\n", err: "the agent says fail"},
		{line: "failed 50% up\n", err: "the agent says failed"},
		{line: "up stopped drain\n", err: "the agent says stopped"},
		{line: "down#the disk, up to 100%, is full\r\n", err: `the agent says down: "the disk, up to 100%, is full"`},
		{line: "down # disk\n", err: `the agent says down: "disk"`},
		{line: "\n", err: "the agent says nothing"},
		{line: "#up\n", err: "the agent says nothing"},
		{line: "12\n", err: `the agent says "12", which is no word of agent-check`},
		{line: "up -3%\n", err: `the agent says "-3%" is no weight such as 12 or 75%`},
		{line: "up upwards\n", err: `the agent says "upwards", which is no word of agent-check`},
		{line: "99999999999%\n", err: `the agent says "99999999999%" is no weight such as 12 or 75%`},
		{line: "", err: "the agent says nothing"},
	} {
		f, text, _ := told(t, health.Agent{}, says(test.line))
		if f.Advice != test.want || text != test.err {
			t.Errorf("%q: %v, %q; want %v, %q", test.line, f.Advice, text, test.want, test.err)
		}
	}
}

func TestAgentIsSentAText(t *testing.T) {
	f, text, _ := told(t, health.Agent{Send: "web 1\n"}, func(c net.Conn) {
		b := make([]byte, 6)
		if _, err := io.ReadFull(c, b); err == nil && string(b) == "web 1\n" {
			io.WriteString(c, "30%\n") // and the connection stays open
			io.Copy(io.Discard, c)
		}
	})
	if want := (health.Advice{Kind: health.Percent, Value: 30}); f.Advice != want || text != "" {
		t.Errorf("%v, %q; want %v", f.Advice, text, want)
	}
}

func FuzzAgent(f *testing.F) {
	for _, line := range []string{"up 50%\n", "down#x", "maxconn:1,drain", "100%%", "\x00"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a, err := probe.ParseAgent(line)
		if err != nil && (a != health.Advice{} || len(err.Error()) > 1000) {
			t.Errorf("%v, %v", a, err)
		}
		if a.Value < 0 || a.Kind != health.NoAdvice && !strings.ContainsAny(line, "%nN") {
			t.Errorf("%v", a)
		}
	})
}
