package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"gorgone/internal/address"
)

// Tracing reports whether OpenTelemetry's own variables name where traces go:
// OTEL_EXPORTER_OTLP_ENDPOINT, or that of traces alone. The exporter reads the others
// of its specification itself.
func Tracing() (bool, error) {
	if !tracing(os.Getenv) {
		return false, nil
	}
	if protocol := exporterSetting(os.Getenv, "PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return false, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is spoken")
	}
	if err := address.CheckPlain(exporterSetting(os.Getenv, "ENDPOINT")); err != nil {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w; credentials go into OTEL_EXPORTER_OTLP_HEADERS", err)
	}
	return true, nil
}

func tracing(getenv func(string) string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if kind := getenv("OTEL_TRACES_EXPORTER"); kind != "" && kind != "otlp" {
		return false
	}
	return exporterSetting(getenv, "ENDPOINT") != ""
}

// exporterSetting returns a setting of the exporter: that of traces, else that of all.
func exporterSetting(getenv func(string) string, name string) string {
	if own := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); own != "" {
		return own
	}
	return getenv("OTEL_EXPORTER_OTLP_" + name)
}
