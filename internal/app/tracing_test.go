package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"gorgone/internal/config"
)

// TestTracesAreSent sends one span to a collector that reads OTLP.
func TestTracesAreSent(t *testing.T) { // it sets variables
	bodies := make(chan []byte, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")

	var errs strings.Builder
	var open closers
	p := NewProcess("worker", "test", NewLogger(&errs, config.Log{Level: "info"}))
	tracer, err := p.openTracer(t.Context(), &open)
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), "batch")
	span.End()
	open.close() // sends what is left

	var sent otlp.ExportTraceServiceRequest
	if err := proto.Unmarshal(<-bodies, &sent); err != nil {
		t.Fatal(err)
	}
	about := sent.GetResourceSpans()[0]
	if name := about.GetScopeSpans()[0].GetSpans()[0].GetName(); name != "batch" {
		t.Errorf("sent span %q", name)
	}
	attributes := about.GetResource().String()
	for _, want := range []string{"gorgone-worker", "deployment.environment.name"} {
		if !strings.Contains(attributes, want) {
			t.Errorf("the resource lacks %q: %s", want, attributes)
		}
	}
	if errs.Len() > 0 {
		t.Errorf("logged: %s", errs.String())
	}
}
