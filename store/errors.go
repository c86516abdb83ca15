package store

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrZoneNotFound is returned when a zone is named that does not exist.
	ErrZoneNotFound = errors.New("zone not found")

	// ErrTweetNotFound is returned when no row has the tweet or row id asked for.
	ErrTweetNotFound = errors.New("tweet not found")

	// ErrBadTweet is returned for a tweet that can not be tracked as it was given.
	ErrBadTweet = errors.New("bad tweet")

	// ErrNotPrivate is returned when a clock other than real time is asked for
	// on a database that was not created for this engine alone.
	ErrNotPrivate = errors.New("database was not created by gorgone up")
)

// SQLSTATE codes that a decision rests on.
// Source: PostgreSQL documentation, appendix A.
const (
	codeSerializationFailure = "40001"
	codeDeadlockDetected     = "40P01"
	codeForeignKeyViolation  = "23503"
	codeLockNotAvailable     = "55P03"
)

// Unavailable reports whether err says that the database could not be reached or
// is not taking work (starting, stopping, out of connections), as opposed to
// having refused a statement. The same call may succeed later. A call that ran
// into its deadline counts as unavailable; one that was cancelled does not.
func Unavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case strings.HasPrefix(refused.Code, "08"), // connection exception
			strings.HasPrefix(refused.Code, "40"),  // clashed with others, again and again
			strings.HasPrefix(refused.Code, "53"),  // insufficient resources
			refused.Code == "55P03",                // a lock could not be had in time
			refused.Code == "25P03",                // idle in transaction for too long
			refused.Code == "57014",                // the statement's time was up
			strings.HasPrefix(refused.Code, "57P"): // shutdown, crash, cannot connect now
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err)
}

// conflict reports whether err is a clash of concurrent transactions that a
// second try resolves.
func conflict(err error) bool {
	return hasCode(err, codeDeadlockDetected) || hasCode(err, codeSerializationFailure)
}

func hasCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}
