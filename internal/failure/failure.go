// Package failure gives errors a kind, so that the edge of the program decides what
// follows from one (an exit code) without knowing where it came from.
package failure

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is.
type Kind int

// The kinds of failures.
const (
	Other      Kind = iota // it did not work; the message says why
	Usage                  // bad flags, arguments or configuration; nothing was done
	NotFound               // what was asked for does not exist
	Unanswered             // no answer within the time given
)

// Error is an error with a kind. Its message is that of the error it wraps.
type Error struct {
	Kind Kind
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Usagef returns an error of kind Usage; the format is that of fmt.Errorf.
func Usagef(format string, args ...any) error {
	return &Error{Usage, fmt.Errorf(format, args...)}
}

// NotFoundf returns an error of kind NotFound; the format is that of fmt.Errorf.
func NotFoundf(format string, args ...any) error {
	return &Error{NotFound, fmt.Errorf(format, args...)}
}

// Unansweredf returns an error of kind Unanswered; the format is that of fmt.Errorf.
func Unansweredf(format string, args ...any) error {
	return &Error{Unanswered, fmt.Errorf(format, args...)}
}

// KindOf returns the kind of the outermost Error in err's chain, or else Other.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Other
}
