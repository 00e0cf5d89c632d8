package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// describe returns the OpenAPI document of the routes.
func describe(list []Route) *openapi3.T {
	s := schemas{make(openapi3.Schemas)}
	doc := &openapi3.T{
		OpenAPI: "3.1.0",
		Info: &openapi3.Info{
			Title: "ipvsd", Version: "1",
			Description: "The API of ipvsd, on its control socket and, where [global_defs.api] has it listen, by HTTPS. Who may only read may GET; " +
				"operators may POST, too. Any failure is a text of one line. A header X-Reason says why something is done, for the audit log.",
			License: &openapi3.License{Name: "see LICENSE"},
		},
		Servers: openapi3.Servers{{URL: "https://127.0.0.1:9443", Description: "as [global_defs.api] says; on /run/ipvsd/ipvsd.sock the same by HTTP"}},
		Paths:   openapi3.NewPaths(),
		Components: &openapi3.Components{Schemas: s.named, SecuritySchemes: openapi3.SecuritySchemes{
			"token":       {Value: &openapi3.SecurityScheme{Type: "http", Scheme: "bearer", Description: "the secret of a [[global_defs.api.token]]"}},
			"password":    {Value: &openapi3.SecurityScheme{Type: "http", Scheme: "basic", Description: "name and secret of such a token, for browsers"}},
			"certificate": {Value: &openapi3.SecurityScheme{Type: "mutualTLS", Description: "a certificate of client_ca, with a [[global_defs.api.certificate_role]]"}},
		}},
		Security: openapi3.SecurityRequirements{{}, {"token": {}}, {"password": {}}, {"certificate": {}}},
	}
	failure := openapi3.NewResponse().WithDescription("why it failed, as a text of one line").WithContent(content(plainText, schemaOf("string").NewRef()))
	for _, rt := range list {
		op := openapi3.NewOperation()
		op.OperationID, op.Summary = rt.Name, rt.Summary
		op.Extensions = map[string]any{"x-ipvsd-role": string(rt.Role)}
		for _, q := range rt.Query {
			p := openapi3.NewQueryParameter(q.Name).WithDescription(q.Summary).WithRequired(q.Needed).WithSchema(schemaOf("string"))
			if q.Repeats {
				list := schemaOf("array")
				list.Items = schemaOf("string").NewRef()
				p.WithSchema(list)
			}
			op.AddParameter(p)
		}
		switch {
		case rt.Body != nil:
			op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).WithContent(content("application/json", s.of(reflect.TypeOf(rt.Body))))}
		case rt.Sends != "":
			op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithContent(content(rt.Sends, schemaOf("string").WithFormat("binary").NewRef()))}
		}
		good := openapi3.NewResponse().WithDescription("the answer")
		switch rt.Media {
		case "":
			good.WithContent(content("application/json", s.of(reflect.TypeOf(rt.Answer))))
		default:
			c := content(rt.Media, schemaOf("string").NewRef())
			if rt.Answer != nil {
				c[rt.Media].Extensions = map[string]any{"x-item-schema": s.of(reflect.TypeOf(rt.Answer))}
			}
			if rt.Instead != nil {
				c["application/json"] = openapi3.NewMediaType().WithSchemaRef(s.of(reflect.TypeOf(rt.Instead)))
			}
			good.WithContent(c)
		}
		answers := []openapi3.NewResponsesOption{openapi3.WithStatus(http.StatusOK, &openapi3.ResponseRef{Value: good}), openapi3.WithName("default", failure)}
		if rt.Refusal != nil {
			answers = append(answers, openapi3.WithStatus(http.StatusUnprocessableEntity, &openapi3.ResponseRef{
				Value: openapi3.NewResponse().WithDescription("it was refused: the answer says why").WithContent(content("application/json", s.of(reflect.TypeOf(rt.Refusal)))),
			}))
		}
		op.Responses = openapi3.NewResponses(answers...)
		doc.AddOperation(rt.Path, rt.Method, op)
	}
	return doc
}

func content(media string, schema *openapi3.SchemaRef) openapi3.Content {
	return openapi3.Content{media: openapi3.NewMediaType().WithSchemaRef(schema)}
}

// The document that is served is made of the routes, is OpenAPI, and is the one that people find in contrib.
func TestDocument(t *testing.T) {
	text, err := json.MarshalIndent(describe(Routes()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	golden.Check(t, "openapi.json", text)
	golden.Check(t, "../../contrib/api/openapi.json", text)
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.Paths.Len() < 12 || !bytes.HasPrefix(document, []byte("{")) {
		t.Errorf("%d paths", doc.Paths.Len())
	}
}

// A route says all that its users need, and reading is a GET.
func TestRoutesAreWhole(t *testing.T) {
	names := make(map[string]bool)
	for _, rt := range Routes() {
		if names[rt.Name] || rt.Name == "" || rt.Summary == "" || !strings.HasPrefix(rt.Path, mainPath) || rt.serve == nil ||
			rt.Media == "" && rt.Answer == nil {
			t.Errorf("%+v", rt)
		}
		names[rt.Name] = true
		if want := map[string]Role{http.MethodGet: Read, http.MethodPost: Operate}[rt.Method]; rt.Role != want || want == "" {
			t.Errorf("%s %s is for %q", rt.Method, rt.Path, rt.Role)
		}
		if takes := rt.Body != nil || rt.Sends != ""; takes != (rt.MaxBody > 0) || takes && rt.Method == http.MethodGet {
			t.Errorf("%s: a body: %t, of %d bytes", rt.Name, takes, rt.MaxBody)
		}
	}
}
