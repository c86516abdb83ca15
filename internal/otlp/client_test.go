package otlp_test

import (
	"compress/gzip"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"gorgone/internal/otlp"
)

// spans are two, of one scope.
func spans() []*trace.ResourceSpans {
	return []*trace.ResourceSpans{{ScopeSpans: []*trace.ScopeSpans{{Spans: []*trace.Span{{Name: "claim"}, {Name: "commit"}}}}}}
}

func client(t *testing.T, settings map[string]string) *otlp.Client {
	t.Helper()
	c, err := otlp.NewClient(func(name string) string { return settings[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(t.Context()) })
	return c
}

// TestUpload holds what is sent against the protocol's own messages: path, headers,
// compression, a retry where the collector asks for one, and what it says of spans that it
// did not take.
func TestUpload(t *testing.T) {
	t.Parallel()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path != "/base/v1/traces" || r.Header.Get("Api-Key") != "a b" || r.Header.Get("X-Team") != "news" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		zipped, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, _ := io.ReadAll(zipped)
		var sent collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &sent); err != nil || len(sent.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()) != 2 {
			t.Errorf("%v, %v", &sent, err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		answer, _ := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "too old"}})
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	c := client(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL + "/base/", "OTEL_EXPORTER_OTLP_HEADERS": "other=x", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=a%20b, x-team=news",
		"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
	})
	if err := c.UploadTraces(t.Context(), spans()); err == nil || err.Error() != "the collector rejected 1 spans: too old" || calls != 2 {
		t.Errorf("%d calls: %v", calls, err)
	}
}

// TestUploadOnce: what a retry would not change is told at once, and a redirect is no place
// for headers that may hold a key.
func TestUploadOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusTemporaryRedirect} {
		calls := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		c := client(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": server.URL + "/as/it/is"})
		if err := c.UploadTraces(t.Context(), spans()); err == nil || !strings.Contains(err.Error(), http.StatusText(status)) || calls != 1 {
			t.Errorf("%d: %d calls, %v", status, calls, err)
		}
		server.Close()
	}
}

// TestTimeout: a collector that never answers holds nobody up for longer than was set.
func TestTimeout(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	c := client(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_EXPORTER_OTLP_TIMEOUT": "50"})
	ended := make(chan error, 1)
	go func() { ended <- c.UploadTraces(t.Context(), spans()) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it was taken")
		}
	case <-time.After(time.Minute):
		t.Error("it waits still")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	settings := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_EXPORTER_OTLP_TIMEOUT": "500"}
	if err := client(t, settings).UploadTraces(t.Context(), spans()); err == nil {
		t.Error("a certificate that nobody vouches for is taken")
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	settings["OTEL_EXPORTER_OTLP_CERTIFICATE"], settings["OTEL_EXPORTER_OTLP_TIMEOUT"] = file, "60000"
	if err := client(t, settings).UploadTraces(t.Context(), spans()); err != nil {
		t.Error(err)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":           {"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "ftp://x"},
		"OTEL_EXPORTER_OTLP_HEADERS":            {"OTEL_EXPORTER_OTLP_HEADERS": "sekret"},
		"OTEL_EXPORTER_OTLP_TIMEOUT":            {"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"},
		"OTEL_EXPORTER_OTLP_CERTIFICATE":        {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem"},
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/nowhere.pem"},
	} {
		if settings["OTEL_EXPORTER_OTLP_ENDPOINT"] == "" {
			settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://localhost:4318"
		}
		_, err := otlp.NewClient(func(name string) string { return settings[name] })
		if err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "sekret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
