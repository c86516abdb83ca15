// Package web serves HTTP: it triggers dispatches, refreshes a tweet while the caller
// waits, tracks new tweets, and shows what the look-ups found.
//
// Every route is a row of the table in routes.go, which names the permission that a
// caller needs. [New] fails for a route that names none, unless it is marked as open to
// everyone. Package auth decides who a caller is and what users may do in which zone.
// Errors become responses in one place, failure.go.
package web
