package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A transaction pooler lends a server's connection for one transaction at a time. It is
// known by its behaviour: Postgres tells a new connection the process id that it is
// served by, for cancelling, and a pooler, which cannot know it yet, tells a number of
// its own. One that pools sessions does so too, and is served as well by statements that
// leave nothing behind, if somewhat slower.

// ErrPooler is returned when the settings do not fit the pooler that is in between.
var ErrPooler = errors.New("the pooler in front of the database does not fit the settings")

// route is what lies between this process and Postgres.
type route struct {
	pooler bool // something that lends connections
	shared bool // two connections were served by one process, beyond doubt
}

// probe finds out what lies between by connecting. With sure it also tries to prove that
// connections are shared, which takes a second one.
func probe(ctx context.Context, cc *pgx.ConnConfig, sure bool) (p route, err error) {
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return p, explain(err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to send
	served, err := servedBy(ctx, conn)
	if err != nil {
		return p, err
	}
	p.pooler = cc.Port == transactionPoolerPort || conn.PgConn().PID() != served
	if !p.pooler || !sure {
		return p, nil
	}
	other, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return p, explain(err)
	}
	defer other.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to send
	second, err := servedBy(ctx, other)
	if err != nil {
		return p, err
	}
	again, err := servedBy(ctx, conn)
	p.shared = second == served || again != served
	return p, err
}

// servedBy returns the id of the process that serves a transaction of the connection.
func servedBy(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	text := ""
	for _, sql := range []string{`begin`, `select pg_catalog.pg_backend_pid()`, `commit`} {
		got, err := simple(ctx, conn, sql)
		if err != nil {
			return 0, explain(err)
		}
		text = cmp.Or(got, text)
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("the process that serves a connection is %q: %w", text, err)
	}
	return uint32(n), nil
}

// simple runs a statement by the simple protocol, whatever the settings of the connection
// are, and returns the first value of its first row, if there is one.
func simple(ctx context.Context, conn *pgx.Conn, sql string) (string, error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	for _, r := range results {
		if len(r.Rows) > 0 && len(r.Rows[0]) > 0 {
			return string(r.Rows[0][0]), nil
		}
	}
	return "", nil
}

// explain adds what to do to an error whose text leads astray when a pooler is in
// between, and takes parts of the url out of it.
func explain(err error) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return err
	case strings.Contains(refused.Message, "statement pooling mode"):
		return said{"a pooler is in between that gives each statement another connection: set its pool_mode to transaction", err}
	case refused.Code == codeProtocolViolation && strings.Contains(refused.Message, "startup parameter"):
		return said{"a pooler is in between and refuses a parameter that the database url sets" + parametersIn(refused.Message) +
			": leave it out of the url, or have the pooler ignore it (ignore_startup_parameters of PgBouncer)", err}
	case refused.Code == codeUndefinedObject && strings.Contains(refused.Message, "configuration parameter"):
		return said{"the server does not know a parameter that the database url sets" + parametersIn(refused.Message), err}
	case refused.Code == codeUndefinedStatement || refused.Code == codeDuplicateStatement:
		return fmt.Errorf("%w: %s", err, poolerAdvice)
	}
	return err
}

// poolerAdvice is the way out when prepared statements get lost.
const poolerAdvice = "a transaction pooler seems to be in between: set GORGONE_DB_POOLER=yes"

// parametersIn names which of the usual parameters a message is about. Any other word in
// it may be a part of a password that has blanks and no quotes.
func parametersIn(message string) string {
	for _, name := range []string{
		"search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "options", "timezone", "TimeZone",
		"datestyle", "DateStyle", "extra_float_digits", "default_transaction_read_only", "jit", "role", "client_min_messages",
	} {
		if strings.Contains(message, name) {
			return " (" + name + ")"
		}
	}
	return ""
}

// said is an error with a text of ours in place of its own.
type said struct {
	text string
	err  error
}

// Error implements error.
func (s said) Error() string { return s.text }

// Unwrap returns the error that is said otherwise.
func (s said) Unwrap() error { return s.err }

// refuseSettings returns an error that names a setting of the role or the database that
// would change what statements do through a pooler, where it cannot be set aside.
func (db *DB) refuseSettings(ctx context.Context) error {
	if !db.pooled {
		return nil
	}
	var isolation string
	if err := db.QueryRow(ctx, `select current_setting('default_transaction_isolation')`).Scan(&isolation); err != nil {
		return fmt.Errorf("read the settings of the database: %w", explain(err))
	}
	if isolation != "read committed" {
		return fmt.Errorf("%w: default_transaction_isolation of the role or the database is %q, which a pooler cannot set aside: "+
			"alter role … set default_transaction_isolation = 'read committed'", ErrPooler, isolation)
	}
	return nil
}
