package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// Watcher follows what answers do to rows, inside the transactions that write them.
// Package alert has one.
type Watcher interface {
	// Load reads what the watcher depends on, such as its rules. It is called outside
	// of transactions, whenever settings, prices and models are read: about twice a
	// minute while there is work.
	Load(ctx context.Context) error

	// Watch begins to follow one try of a transaction.
	Watch() Watch
}

// Watch follows one try of a transaction. Its methods are called in this order.
type Watch interface {
	// QueueRead adds one statement at most to the transaction's first group, behind
	// those that lock the rows.
	QueueRead(b *pgx.Batch, of Locked)

	// Decide is told what becomes of the rows, while they are locked and before that
	// is written. It may send a group of its own where the rows alone do not tell. It
	// must lock nothing.
	Decide(ctx context.Context, t *postgres.Tx, rows []AppliedRow, now time.Time) error

	// QueueWrites adds statements to the transaction's last group, between those that
	// write the rows and those that write the batch's record.
	QueueWrites(b *pgx.Batch, now time.Time)
}

// Locked names the rows that a transaction has locked, by one of its fields.
type Locked struct {
	Rows   []uuid.UUID // of twitter_tweets
	Tweets []string    // all rows of these tweets
}

// noWatcher watches nothing.
type noWatcher struct{}

func (noWatcher) Load(context.Context) error { return nil }
func (noWatcher) Watch() Watch               { return noWatch{} }

type noWatch struct{}

func (noWatch) QueueRead(*pgx.Batch, Locked)                                        {}
func (noWatch) Decide(context.Context, *postgres.Tx, []AppliedRow, time.Time) error { return nil }
func (noWatch) QueueWrites(*pgx.Batch, time.Time)                                   {}
