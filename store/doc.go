// Package store keeps the engine's state in Postgres: which tweets are tracked,
// when each is due, who holds it, its counts and their history.
//
// The rules themselves are in package engagement. What this package adds is that
// they hold under concurrency: claims are leases, a batch is written in one
// transaction, and only while its claim is still its own. See docs/data-model.md
// for the tables.
//
// Two habits run through all of the SQL here. No statement asks for the time:
// every timestamp is a parameter that comes from the injected [Clock]
// ([postgres.DB.DatabaseTime] is the one exception, the clock's own source). And no
// statement leaves anything in the session, so that a transaction pooler may sit
// in between.
//
// Every writer locks in one order: tracking rows by tweet_db_id, then tweets by
// id, then gorgone.batches by claim_id. Claims skip locked rows and so never wait.
package store
