// Package traceparent propagates a trace through a message, in the traceparent header of
// W3C Trace Context.
package traceparent

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header is the name of the header.
const Header = "traceparent"

// Of returns the header for the span of ctx; "" if there is none.
func Of(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get(Header)
}

// Join returns ctx with the header's span as the parent of new spans. An empty or invalid
// header changes nothing.
func Join(ctx context.Context, header string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{Header: header})
}

// Link returns a link to the header's span, for work with several parents.
func Link(ctx context.Context, header string) trace.Link {
	none := trace.ContextWithSpanContext(ctx, trace.SpanContext{}) // or an invalid header would link the span of ctx
	return trace.Link{SpanContext: trace.SpanContextFromContext(Join(none, header))}
}
