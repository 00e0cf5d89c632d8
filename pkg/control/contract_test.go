package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// requests are one for each route that wants to hear more than its path.
var requests = map[string]struct{ query, body string }{
	"probe":      {"server=192.0.2.1", ""},
	"order":      {"", `{"verb": "drain", "server": "192.0.2.1"}`},
	"exchange":   {"", `{}`},
	"switchover": {"", `{"name": "VI_1"}`},
	"apply":      {"", `{"name": "f", "text": "eA=="}`},
	"rollback":   {"", `{}`},
	"revision":   {"", `{"number": 1}`},
	"plan":       {"file=f", "x"},
	"events":     {"follow=false", ""},
}

// Every answer that there can be, with everything in it and with nothing, is what the document says, and so is every failure.
func TestAnswersAreAsDocumented(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []sample{{empty: false}, {empty: true}} {
		log := &book{auditor: s}
		h := muxOf(table(s, sampleRouters{s}, log), log)
		for _, rt := range table(s, sampleRouters{s}, log) {
			op := doc.Paths.Value(rt.Path).GetOperation(rt.Method)
			if op.OperationID != rt.Name {
				t.Fatalf("%s is %s in the document: go test ./pkg/control -run TestDocument -update", rt.Name, op.OperationID)
			}
			ask := requests[rt.Name]
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), rt.Method, rt.Path+"?"+ask.query, strings.NewReader(ask.body)))
			want := http.StatusOK
			if rt.Refusal != nil && s.empty {
				want = http.StatusUnprocessableEntity
			}
			if w.Code != want {
				t.Errorf("%s: %d %s, want %d", rt.Name, w.Code, w.Body, want)
				continue
			}
			fits(t, rt, op, w, "")
			if rt.Instead != nil {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), rt.Method, rt.Path+"?summary=1&top=3", nil))
				fits(t, rt, op, w, "")
			}
			for _, query := range []string{"surprise=1", "last=x&top=x&server=x&service=x&since=x"} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), rt.Method, rt.Path+"?"+query, strings.NewReader("{")))
				if w.Code >= http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity {
					fits(t, rt, op, w, "default")
				}
			}
		}
	}
}

// fits says what of an answer isn't as an operation has it.
func fits(t *testing.T, rt Route, op *openapi3.Operation, w *httptest.ResponseRecorder, kind string) {
	t.Helper()
	said := op.Responses.Status(w.Code)
	if kind != "" {
		said = op.Responses.Value(kind)
	}
	media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if said == nil || said.Value.Content[media] == nil {
		t.Errorf("%s: the document has no answer %d of type %q", rt.Name, w.Code, media)
		return
	}
	switch schema := said.Value.Content[media].Schema.Value; {
	case kind != "":
		if text := w.Body.String(); strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s: %q is not one line", rt.Name, text)
		}
	case media == "application/json":
		matches(t, rt, schema, w.Body.Bytes())
	default:
		items(t, rt, said.Value.Content[media], w.Body.Bytes())
	}
}

// items holds each line, or the data of each event, against what the document says of them.
func items(t *testing.T, rt Route, content *openapi3.MediaType, body []byte) {
	t.Helper()
	raw, err := json.Marshal(content.Extensions["x-item-schema"])
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Ref string `json:"$ref"`
	}
	if err := json.Unmarshal(raw, &ref); err != nil || ref.Ref == "" {
		t.Fatalf("%s: %s", rt.Name, raw)
	}
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		t.Fatal(err)
	}
	schema := doc.Components.Schemas[ref.Ref[strings.LastIndexByte(ref.Ref, '/')+1:]].Value
	n, named := 0, false
	for line := range bytes.Lines(body) {
		switch name, data, _ := strings.Cut(strings.TrimSpace(string(line)), ":"); {
		case rt.Media == jsonLines && !bytes.HasPrefix(line, []byte(`{"entries"`)):
			matches(t, rt, schema, line)
			n++
		case name == "":
			named = false
		case name == "event":
			named = true // it isn't one of those
		case name == "data" && !named:
			matches(t, rt, schema, []byte(data))
			n++
		}
	}
	if n == 0 {
		t.Errorf("%s: there are no items in %s", rt.Name, body)
	}
}

func matches(t *testing.T, rt Route, schema *openapi3.Schema, text []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Errorf("%s: %v in %s", rt.Name, err, text)
	} else if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation()); err != nil {
		t.Errorf("%s: %v", rt.Name, err)
	}
}

// An answer about 10,000 services comes whole to a client by TCP.
func TestTenThousandServices(t *testing.T) {
	p := serveTCP(t, nil)
	s := sample{}
	whole, _ := s.Status(t.Context())
	one := whole.Services[0]
	for len(whole.Services) < 10000 {
		whole.Services = append(whole.Services, one)
	}
	const path = "/ten-thousand"
	p.mux.HandleFunc(http.MethodGet+" "+path, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, whole, nil) })
	at := (<-p.listened).Addr().String()
	token := t.TempDir() + "/token"
	write(t, token, readSecret)
	c := NewRemoteClient(Remote{Address: at, CA: p.ca.file, TokenFile: token})
	defer c.transport.CloseIdleConnections()
	got, err := ask[status.Snapshot](t.Context(), c, http.MethodGet, path, nil)
	if err != nil || len(got.Services) != 10000 || got.At.After(time.Now()) {
		t.Errorf("%v, %d services", err, len(got.Services))
	}
}
