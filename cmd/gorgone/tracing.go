package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// flushTraces is how long the last spans may take to be sent at a stop.
const flushTraces = 3 * time.Second

// openTracer returns what records the way of the work, from dispatch to commit.
// It records nothing unless OpenTelemetry's own variables name where to send it:
// OTEL_EXPORTER_OTLP_ENDPOINT, or that of traces alone. The others of its
// specification (headers, sampler, resource attributes, …) are honoured too.
func (a *app) openTracer(ctx context.Context, role string, open *resources) (trace.Tracer, error) {
	if !tracing(os.Getenv) {
		return noop.NewTracerProvider().Tracer(""), nil
	}
	if protocol := otelSetting(os.Getenv, "PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, usageError("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is spoken")
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, usageError("send traces: %w", err)
	}
	// What the environment says of the resource wins.
	about, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", "gorgone-"+role),
			attribute.String("service.version", versionString()),
		),
		resource.WithHost(), resource.WithFromEnv(),
	)
	if err != nil {
		return nil, fmt.Errorf("describe this process to the traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.log.Warn().Err(err).Msg("traces are not sent") }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	flushing := context.WithoutCancel(ctx)
	open.add(func() {
		ctx, cancel := context.WithTimeout(flushing, flushTraces)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			a.log.Warn().Err(err).Msg("the last traces are not sent")
		}
	})
	return provider.Tracer("gorgone"), nil
}

// tracing tells whether traces are to be recorded.
func tracing(getenv func(string) string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if kind := getenv("OTEL_TRACES_EXPORTER"); kind != "" && kind != "otlp" {
		return false
	}
	return otelSetting(getenv, "ENDPOINT") != ""
}

// otelSetting reads a setting of the exporter: that of traces, else that of all.
func otelSetting(getenv func(string) string, name string) string {
	if own := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); own != "" {
		return own
	}
	return getenv("OTEL_EXPORTER_OTLP_" + name)
}
