package app

import (
	"io"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/term"

	"gorgone/internal/config"
	"gorgone/metrics"
)

// Process is what everything that one process opens has in common.
type Process struct {
	Name     string // in connections, traces and logs: "worker"
	Version  string
	Log      zerolog.Logger
	Metrics  *metrics.Metrics
	Registry *prometheus.Registry // of Metrics
}

// NewProcess returns a process with metrics of its own.
func NewProcess(name, version string, log zerolog.Logger) *Process {
	registry := prometheus.NewRegistry()
	return &Process{Name: name, Version: version, Log: log, Registry: registry, Metrics: metrics.New(registry, version)}
}

// sampling is how many lines beyond the burst stand for one that is written.
const sampling = 100

// NewLogger returns a logger for people on a terminal, and of JSON lines elsewhere.
func NewLogger(w io.Writer, c config.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel // config.Load has checked it
	}
	if IsTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	log := zerolog.New(zerolog.SyncWriter(w)).Level(level).With().Timestamp().Logger()
	if c.Burst > 0 {
		few := func() zerolog.Sampler {
			return &zerolog.BurstSampler{Burst: uint32(c.Burst), Period: time.Second, NextSampler: &zerolog.BasicSampler{N: sampling}}
		}
		log = log.Sample(zerolog.LevelSampler{DebugSampler: few(), InfoSampler: few()})
	}
	return log
}

// IsTerminal reports whether a reader or a writer is a terminal.
func IsTerminal(w any) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// closers are closed in the opposite order of opening.
type closers []func()

func (c *closers) add(f func()) { *c = append(*c, f) }

func (c *closers) close() {
	for _, f := range slices.Backward(*c) {
		f()
	}
	*c = nil
}
