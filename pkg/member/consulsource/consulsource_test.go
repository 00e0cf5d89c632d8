package consulsource

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/member"
)

func text(r member.Report) string {
	var words []string
	for _, m := range r.Members {
		word := fmt.Sprintf("%s:%d=%s", m.Addr, m.Port, m.Name)
		if m.Weight != nil {
			word += fmt.Sprintf("*%d", *m.Weight)
		}
		words = append(words, word+strings.Join(m.Tags, ","))
	}
	if r.Warning != "" {
		words = append(words, "warning: "+r.Warning)
	}
	if r.Err != "" {
		words = append(words, "error: "+r.Err)
	}
	return strings.Join(words, " ")
}

// exchange is a question and its answer.
type exchange struct {
	query  string // that is asked
	status int
	index  string // X-Consul-Index
	leader string // X-Consul-KnownLeader
	file   string // of testdata; a text if there is none of that name
	want   string // of the report; empty: there is none, since Consul keeps the question
}

// The conversation as Consul's documentation has it (Blocking Queries, Health HTTP Endpoint): each question waits for what is newer than
// the answer before, an error begins anew, and so does an index that goes back.
func TestConversation(t *testing.T) {
	const waits = "&wait=30s"
	const two = "10.1.10.12:8000=web1*10traefik.enable=true,web 2001:db8::13:8001=web2*1"
	conversation := []exchange{
		{"", 200, "107", "true", "two.json", two},
		{"index=107" + waits, 200, "107", "true", "two.json", two}, // its time was over
		{"index=107" + waits, 200, "121", "true", "maintenance.json", `10.1.10.12:8000=web1*0web warning: web-2 has the address "web2.example.org": only those are servers that are named by IP address`},
		{"index=121" + waits, 500, "", "", "rpc error making call: EOF\n", "error: 500 Internal Server Error rpc error making call: EOF"},
		{"", 200, "121", "false", "[]", "error: it has no leader, and may not know of all servers"},
		{"", 200, "130", "true", "[]", ""},
		{"index=130" + waits, 200, "12", "true", "two.json", two}, // it was restored
		{"", 200, "12", "true", "[{", "error: the answer is not Consul's: unexpected end of JSON input"},
		{"", 403, "", "", "Permission denied: token with AccessorID 'anonymous' lacks permission 'service:read'", "error: 403 Forbidden Permission denied: token with AccessorID 'anonymous' lacks permission 'service:read'"},
		{"", 302, "", "", "", "error: 302 Found"},
		{"", 200, "13", "true", "null", ""},
	}
	asked := make(chan string, len(conversation)+1)
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked <- q.Method + " " + q.URL.Path + " " + q.URL.RawQuery + " " + q.Header.Get("X-Consul-Token")
		if n == len(conversation) {
			<-q.Context().Done()
			return
		}
		e := conversation[n]
		n++
		body, err := os.ReadFile(filepath.Join("testdata", e.file))
		if err != nil || e.file == "" {
			body = []byte(e.file)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Consul-Index", e.index)
		w.Header().Set("X-Consul-KnownLeader", e.leader)
		if e.status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(e.status)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("b1gs33cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := reader{source: member.Source{Kind: member.Consul, Name: "web", At: server.URL, Access: member.Access{Secret: file}}}
	for i, e := range conversation {
		report, err := r.ask(t.Context())
		if want := "GET /v1/health/service/web " + e.query + " b1gs33cr3t"; <-asked != want {
			t.Errorf("question %d is not %s", i, want)
		}
		if err != nil {
			report = member.Report{Err: plainly(err)}
			r = reader{source: r.source}
		}
		if got := text(report); got != e.want {
			t.Errorf("answer %d: got\n%s\nwant\n%s", i, got, e.want)
		}
	}
}

// Run tells what comes, and that nobody answers; it ends while a question waits.
func TestRun(t *testing.T) {
	waits := make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Query().Get("index") != "" {
			waits <- true
			<-q.Context().Done()
			return
		}
		w.Header().Set("X-Consul-Index", "1")
		body, _ := os.ReadFile("testdata/two.json")
		_, _ = w.Write(body)
	}))
	defer server.Close()
	run := func(at string) (reports chan member.Report, stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		reports, done := make(chan member.Report, 100), make(chan bool)
		go func() {
			defer close(done)
			Run(ctx, member.Source{Kind: member.Consul, Name: "web", At: at}, func(r member.Report) { reports <- r })
		}()
		return reports, func() {
			cancel()
			<-done
		}
	}
	reports, stop := run(server.URL)
	if r := <-reports; len(r.Members) != 2 || r.Source.Name != "web" {
		t.Errorf("got %+v", r)
	}
	select {
	case <-waits:
	case <-time.After(time.Minute):
		t.Error("it never asks for what is newer")
	}
	stop()
	reports, stop = run("http://127.0.0.1:1")
	if r := <-reports; !strings.Contains(r.Err, "connection refused") || r.Source.Name != "web" {
		t.Errorf("got %+v", r)
	}
	stop()
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"two.json", "maintenance.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parse(b)
		for _, m := range r.Members {
			if err == nil && (!member.Usable(m.Addr) || m.Weight != nil && *m.Weight < 0 || m.Name != "" && !member.IsName(m.Name)) {
				t.Errorf("%+v", m)
			}
		}
	})
}
