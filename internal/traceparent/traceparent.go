// Package traceparent carries the identity of a trace through a message, in the
// header of the W3C's Trace Context.
package traceparent

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header is the name of the header.
const Header = "traceparent"

// Of returns what names the span of ctx to others; "" when there is none.
func Of(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get(Header)
}

// Join returns ctx with the span that the header names as the parent of those to
// come. A header that is empty or makes no sense changes nothing.
func Join(ctx context.Context, header string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{Header: header})
}

// Link returns a link to the span that the header names, for work that has many
// parents.
func Link(ctx context.Context, header string) trace.Link {
	none := trace.ContextWithSpanContext(ctx, trace.SpanContext{}) // or a bad header would name the span of ctx
	return trace.Link{SpanContext: trace.SpanContextFromContext(Join(none, header))}
}
