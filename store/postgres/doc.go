// Package postgres connects to the engine's database: the pool, transactions that
// are sent in pipelined groups, the encoding of Postgres types, what an error
// means, and the schema with its migrations, indexes and checks.
//
// Packages store, store/history, store/report and alert write the SQL on top of it.
//
// Where a pooler is between the engine and Postgres, nothing here leaves anything in a
// session; session.go has what statements rest on instead. No statement asks for the time but that of
// [DB.DatabaseTime], the source of the engine's clock.
package postgres
