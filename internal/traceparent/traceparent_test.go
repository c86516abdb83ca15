package traceparent_test

import (
	"testing"

	"go.opentelemetry.io/otel/trace"

	"gorgone/internal/traceparent"
)

func TestThereAndBack(t *testing.T) {
	t.Parallel()
	if got := traceparent.Of(t.Context()); got != "" {
		t.Errorf("without a span: %q", got)
	}
	const header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if got := traceparent.Of(traceparent.Join(t.Context(), header)); got != header {
		t.Errorf("%q became %q", header, got)
	}
	if link := traceparent.Link(t.Context(), header); link.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("link %+v", link)
	}
	for _, bad := range []string{"", "00-", "zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", header + "\r\nx: y"} {
		if trace.SpanContextFromContext(traceparent.Join(t.Context(), bad)).IsValid() {
			t.Errorf("%q names a span", bad)
		}
	}
}
