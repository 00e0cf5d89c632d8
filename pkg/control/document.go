package control

import (
	_ "embed"
	"net/http"
)

const documentPath = mainPath + "openapi.json"

// document describes the API as OpenAPI 3.1. A test makes it from the routes, and the types of their bodies and answers.
//
//go:embed openapi.json
var document []byte

var documentRoute = Route{
	Name: "openapi", Method: http.MethodGet, Path: documentPath, Role: Read, Answer: map[string]any{},
	Summary: "This document",
	serve: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // the client may have gone
	}),
}
