package consulsource

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// With a consul, TestRecorded talks to it and writes the record anew. scripts/consul builds one.
var consul = flag.String("consul", "", "record the conversation with this consul `program`")

const record = "testdata/conversation.json"

// said is a question of the reader and what a real Consul answered.
type said struct {
	Question string
	Status   int
	Header   map[string]string
	Body     string
}

// The tokens of the agent: one that may do all, and one that may not see the service.
const (
	root      = "5ec2e700-0000-4000-8000-000000000001"
	powerless = "5ec2e700-0000-4000-8000-000000000002"
)

// step is what an operator does to Consul while the reader waits, and what the reader has to know of it then.
type step struct {
	do    func(*agent)
	token string
	want  string
}

var steps = []step{
	{token: "5ec2e700-0000-4000-8000-00000000dead", want: "error: 403 Forbidden ACL not found"},
	{want: ""}, // a service that nobody has registered
	{do: func(a *agent) {
		a.put("agent/service/register", `{"ID": "web-1", "Name": "web", "Address": "10.1.10.12", "Port": 8000, "Tags": ["web", "blue"], "Weights": {"Passing": 10, "Warning": 1}}`)
	}, want: "10.1.10.12:8000=director*10blue,web"},
	{do: func(a *agent) { // a service without an address is where its node is
		a.put("catalog/register", `{"Node": "web2", "Address": "2001:db8::13", "Service": {"ID": "web-2", "Service": "web", "Port": 8001}}`)
	}, want: "10.1.10.12:8000=director*10blue,web 2001:db8::13:8001=web2*1"},
	{token: powerless, want: "error: " + blind},
	{want: "10.1.10.12:8000=director*10blue,web 2001:db8::13:8001=web2*1"},
	{do: func(a *agent) { a.put("agent/service/maintenance/web-1?enable=true&reason=disk", "") },
		want: "10.1.10.12:8000=director*0blue,web 2001:db8::13:8001=web2*1"},
	{do: func(a *agent) { a.put("agent/service/maintenance/web-1?enable=false", "") },
		want: "10.1.10.12:8000=director*10blue,web 2001:db8::13:8001=web2*1"},
	{do: func(a *agent) { a.put("agent/maintenance?enable=true", "") },
		want: "10.1.10.12:8000=director*0blue,web 2001:db8::13:8001=web2*1"},
	{do: func(a *agent) { a.put("catalog/deregister", `{"Node": "web2", "ServiceID": "web-2"}`) },
		want: "10.1.10.12:8000=director*0blue,web"},
	{do: func(a *agent) { // a failing check of Consul's is not a verdict of ours
		a.put("agent/maintenance?enable=false", "")
		a.put("agent/check/register", `{"Name": "alive", "ServiceID": "web-1", "TTL": "1h"}`)
	}, want: "10.1.10.12:8000=director*10blue,web"},
	{do: (*agent).restart, want: ""}, // in memory only: it has forgotten all, and its index begins anew
	{do: func(a *agent) {
		a.put("agent/service/register", `{"ID": "web-3", "Name": "web", "Address": "10.1.10.14", "Port": 8000}`)
	}, want: "10.1.10.14:8000=director"},
}

// What Consul 1.16.6 has said (the conversation with it is in testdata), asked by the reader's own questions.
func TestRecorded(t *testing.T) {
	var kept [][]said // by step
	var a *agent
	if *consul != "" {
		a = start(t)
		kept = make([][]said, len(steps))
	} else if b, err := os.ReadFile(record); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(b, &kept); err != nil || len(kept) != len(steps) {
		t.Fatalf("%s has %d steps (%v), not %d", record, len(kept), err, len(steps))
	}
	at, n := 0, 0 // the step, and the question in it
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		question := q.Method + " " + q.URL.RequestURI() + " " + q.Header.Get("X-Consul-Token")
		if a != nil {
			kept[at] = append(kept[at], a.ask(question, q))
		}
		if n >= len(kept[at]) || kept[at][n].Question != question {
			t.Errorf("step %d: the record has no %s there", at, question)
			http.Error(w, "not recorded", http.StatusTeapot)
			return
		}
		s := kept[at][n]
		n++
		for name, value := range s.Header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(s.Status)
		_, _ = io.WriteString(w, s.Body)
	}))
	defer server.Close()
	readers := map[string]*reader{}
	for i, s := range steps {
		at, n = i, 0
		r := readers[s.token]
		if r == nil {
			r = &reader{source: member.Source{Kind: member.Consul, Name: "web", At: server.URL, Access: member.Access{Secret: token(t, s.token)}}}
			readers[s.token] = r
		}
		if a != nil && s.do != nil {
			a.next = s.do
		}
		got := ""
		// One change may be several to Consul.
		for range 10 {
			report, err := r.ask(t.Context())
			if err != nil {
				report = member.Report{Err: plainly(err)}
			}
			if got = text(report); got == s.want || a == nil && n >= len(kept[i]) {
				break
			}
		}
		if got != s.want {
			t.Errorf("step %d: got\n%s\nwant\n%s", i, got, s.want)
		}
	}
	if a != nil && !t.Failed() {
		b, err := json.MarshalIndent(kept, "", "  ")
		if err == nil {
			err = os.WriteFile(record, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func token(t *testing.T, text string) (file string) {
	if text == "" {
		text = root
	}
	file = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// agent is a Consul with one server, all in memory.
type agent struct {
	t       *testing.T
	process *exec.Cmd
	next    func(*agent) // what is done to it when the next question has come
}

const api = "http://127.0.0.1:18500"

func start(t *testing.T) *agent {
	a := &agent{t: t}
	t.Cleanup(func() { a.stop() })
	a.start()
	return a
}

func (a *agent) start() {
	a.t.Helper()
	config := filepath.Join(a.t.TempDir(), "consul.hcl")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
ports { http = 18500, dns = -1, grpc = -1, grpc_tls = -1 }
disable_update_check = true
acl { enabled = true, default_policy = "deny", tokens { initial_management = %q, agent = %[1]q } }
`, root), 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.process = exec.Command(*consul, "agent", "-dev", "-node", "director", "-bind", "127.0.0.1", "-config-file", config)
	if err := a.process.Start(); err != nil {
		a.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		if status, body := a.call(http.MethodGet, "/v1/catalog/node/director", root, ""); status == http.StatusOK && strings.Contains(body, "director") {
			break
		}
		if time.Now().After(end) {
			a.t.Fatal("consul does not start")
		}
	}
	a.put("acl/policy", `{"Name": "blind", "Rules": "node_prefix \"\" { policy = \"read\" }"}`)
	a.put("acl/token", fmt.Sprintf(`{"SecretID": %q, "Policies": [{"Name": "blind"}]}`, powerless))
}

func (a *agent) stop() {
	_ = a.process.Process.Kill()
	_ = a.process.Wait()
}

func (a *agent) restart() {
	a.stop()
	a.start()
}

func (a *agent) put(path, body string) {
	a.t.Helper()
	if status, answer := a.call(http.MethodPut, "/v1/"+path, root, body); status != http.StatusOK {
		a.t.Errorf("%s: %d %s", path, status, answer)
	}
}

func (a *agent) call(method, path, token, body string) (status int, answer string) {
	q, err := http.NewRequest(method, api+path, strings.NewReader(body))
	if err != nil {
		a.t.Error(err)
		return 0, ""
	}
	q.Header.Set("X-Consul-Token", token)
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

// ask passes a question on, and has what is to happen next happen meanwhile.
func (a *agent) ask(question string, q *http.Request) said {
	if do := a.next; do != nil {
		a.next = nil
		done := make(chan bool)
		go func() {
			defer close(done)
			do(a)
		}()
		defer func() { <-done }()
	}
	to := q.Clone(q.Context())
	to.RequestURI, to.URL.Scheme, to.URL.Host = "", "http", strings.TrimPrefix(api, "http://")
	to.Header.Del("Accept-Encoding") // the record is to be read
	answer, err := http.DefaultTransport.RoundTrip(to)
	if err != nil {
		// Consul has ended with the question.
		return said{question, http.StatusBadGateway, nil, "no answer\n"}
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Error(err)
	}
	s := said{question, answer.StatusCode, map[string]string{}, string(bytes.TrimSpace(b))}
	for name := range answer.Header {
		if strings.HasPrefix(name, "X-Consul-") || name == "Content-Type" {
			s.Header[name] = answer.Header.Get(name)
		}
	}
	return s
}
