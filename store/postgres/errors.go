package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gorgone/internal/clock"
)

// ErrNotPrivate is returned when a clock other than real time is asked for
// on a database that was not created for this engine alone.
var ErrNotPrivate = errors.New("database was not created by gorgone up")

// ErrReadOnly is returned by [DB.Ping] for a database that answers and takes no
// writes: a standby, or one that is set to read only.
var ErrReadOnly = errors.New("the database is read-only")

// SQLSTATE codes that a decision rests on.
// Source: PostgreSQL documentation, appendix A.
const (
	codeSerializationFailure = "40001"
	codeDeadlockDetected     = "40P01"
	codeReadOnly             = "25006"
	codeProtocolViolation    = "08P01"
	codeUndefinedObject      = "42704"
	codeUndefinedStatement   = "26000"
	codeDuplicateStatement   = "42P05"
	CodeNotNullViolation     = "23502"
	CodeForeignKeyViolation  = "23503"
	CodeLockNotAvailable     = "55P03"
	CodeQueryCanceled        = "57014"
)

// dataCodes begin the codes that say something about a row: it would be refused again.
var dataCodes = []string{
	"21",    // cardinality violation, in a trigger
	"22",    // data exception: out of range, not valid in the encoding
	"23",    // integrity constraint violation
	"27",    // triggered data change violation
	"44",    // with check option violation
	"54000", // program limit exceeded: a value too long for an index
	"P0",    // raised by a trigger
}

// staleCodes are the codes of a connection that is of no use any more: it leads to a
// standby, or what it has prepared does not fit the tables of today.
var staleCodes = []string{
	codeReadOnly,
	"0A000",                // cached plan must not change result type
	codeUndefinedStatement, // a prepared statement is gone
	codeDuplicateStatement, // a prepared statement is there already
	"XX000",                // cache lookup failed; a pooler that lost its server
}

// Refused reports whether err says something about the data: an available database
// refused it, and would again. That is a short list of codes, and whatever failed
// outside of the database, such as a count that no column can hold. Everything else
// says something about the database: see [Unavailable].
func Refused(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) && !ofDatabase(err)
}

// BadValue reports whether an available database refused a value: it is out of range, not
// of its type or encoding, or a constraint or trigger does not allow it.
func BadValue(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && hasPrefix(refused.Code, dataCodes)
}

// Unavailable reports whether err says something about the database: it could not be
// reached, does not take work (starting, stopping, read-only, full, out of
// connections), or refused a statement for a reason that is no row's. The same call
// may succeed later. A call that ran into its deadline counts as unavailable; one that
// was cancelled does not.
func Unavailable(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) && ofDatabase(err)
}

func ofDatabase(err error) bool {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return !hasPrefix(refused.Code, dataCodes)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrReadOnly) || errors.Is(err, clock.ErrDisagreement) || errors.Is(err, pgx.ErrTxCommitRollback) ||
		pgconn.SafeToRetry(err)
}

func hasPrefix(code string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(code, p) {
			return true
		}
	}
	return false
}

// environmentCodes begin the codes that are the database's beyond doubt.
var environmentCodes = []string{"08", "25", "28", "3D", "40", "53", "55", "57", "58", "72"}

// Suspect reports whether err is a refusal that is the database's by its code, but that a
// trigger, or a damaged page, can raise for one row alone. What is refused like that while
// other rows are written is better tried without that row.
func Suspect(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && !hasPrefix(refused.Code, dataCodes) && !hasPrefix(refused.Code, environmentCodes)
}

// conflict reports whether err is a clash of concurrent transactions that a
// second try resolves.
func conflict(err error) bool {
	return HasCode(err, codeDeadlockDetected) || HasCode(err, codeSerializationFailure)
}

// stale reports whether err is the fault of the connection, which was closed: another
// one may do better.
func stale(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && hasPrefix(refused.Code, staleCodes)
}

// TookTooLong reports whether err says that a read took longer than it may: by the clock of
// the call, or of another that it shared the answer of, or by the database's. It does not of a
// database that could not be reached in time.
func TookTooLong(err error) bool {
	_, unreached := errors.AsType[*pgconn.ConnectError](err)
	return !unreached && (errors.Is(err, context.DeadlineExceeded) || HasCode(err, CodeQueryCanceled))
}

// HasCode reports whether err is an error of the server with the SQLSTATE code.
func HasCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}
