package app

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"gorgone/internal/address"
	"gorgone/internal/config"
	"gorgone/internal/failure"
)

// flushTraces is how long the last spans may take to be sent at a stop.
const flushTraces = 3 * time.Second

// openTracer returns what records the way of the work, from dispatch to commit.
// It records nothing unless OpenTelemetry's own variables name where to send it:
// OTEL_EXPORTER_OTLP_ENDPOINT, or that of traces alone. The others of its
// specification (headers, sampler, resource attributes, …) are honoured too.
func (p *Process) openTracer(ctx context.Context, open *closers) (trace.Tracer, error) {
	on, err := config.Tracing()
	if err != nil {
		return nil, failure.Usagef("%w", err)
	}
	if !on {
		return noop.NewTracerProvider().Tracer(""), nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { p.Log.Warn().Err(address.Without(err)).Msg("traces are not sent") }))
	otel.SetLogger(logr.Discard()) // it quotes settings that it cannot read, which may be secrets
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, failure.Usagef("send traces: %w", address.Without(err))
	}
	// What the environment says of the resource wins.
	about, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", "gorgone-"+p.Name),
			attribute.String("service.version", p.Version),
		),
		resource.WithHost(), resource.WithFromEnv(),
	)
	if err != nil {
		return nil, fmt.Errorf("describe this process to the traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	flushing := context.WithoutCancel(ctx)
	open.add(func() {
		ctx, cancel := context.WithTimeout(flushing, flushTraces)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			p.Log.Warn().Err(err).Msg("the last traces are not sent")
		}
	})
	return provider.Tracer("gorgone"), nil
}
