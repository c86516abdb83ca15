package cli

import "gorgone/internal/failure"

// The exit codes, as "gorgone --help" lists them.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitNotFound   = 3
	exitUnanswered = 4
)

// ExitCode returns the exit code for the error of a command: 0 without one.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	switch failure.KindOf(err) {
	case failure.Usage:
		return exitUsage
	case failure.NotFound:
		return exitNotFound
	case failure.Unanswered:
		return exitUnanswered
	case failure.Other:
	}
	return exitFailed
}
