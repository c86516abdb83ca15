package natsserver

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"
)

// logger writes the server's log to ours. The server's own would end the process
// on a fatal error.
type logger struct {
	log   zerolog.Logger
	fatal chan string // the first fatal error
}

func newLogger(log zerolog.Logger) *logger {
	return &logger{log: log.With().Str("component", "nats-server").Logger(), fatal: make(chan string, 1)}
}

// Noticef logs at debug level: the server greets at length.
func (l *logger) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }

// Warnf logs a warning. That passwords are not hashed is none here: they are random, and
// stand in no file of the server's.
func (l *logger) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords") {
		return
	}
	l.log.Warn().Msgf(format, v...)
}

// Errorf logs an error.
func (l *logger) Errorf(format string, v ...any) { l.log.Error().Msgf(format, v...) }

// Fatalf keeps the error for Start, which reports it.
func (l *logger) Fatalf(format string, v ...any) {
	l.log.Error().Msgf(format, v...)
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

// Debugf is never called: debugging is off.
func (l *logger) Debugf(string, ...any) {}

// Tracef is never called: tracing is off.
func (l *logger) Tracef(string, ...any) {}
