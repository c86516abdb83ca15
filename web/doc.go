// Package web is the HTTP side of the engine: what triggers a dispatch, refreshes
// a tweet while somebody waits, takes new tweets in, and shows what was seen.
//
// Every route is a line of the table in routes.go, which says what a caller must
// be allowed to do; a route without such a line does not exist, and one whose
// line names no permission is refused at the start unless it is marked as open to
// all. Who a caller is, and what users may do in which zone, is decided by package
// auth. Errors become answers in one place, failure.go.
package web
