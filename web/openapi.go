package web

import (
	_ "embed"
	"net/http"
)

// description is the OpenAPI document of the routes. A test compares the two.
//
//go:embed openapi.json
var description []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *request) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(description)
	return nil
}
