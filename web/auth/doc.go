// Package auth decides who may do what over HTTP.
//
// There are three kinds of callers. QStash signs each delivery ([QStash]).
// Services present a bearer token whose hash is configured ([Tokens]). People
// present the access token of a Supabase session ([Users]), and what they may do
// is decided zone by zone ([ZoneAccess]). A [Guard] finds out which of them sent
// a request, and counts, logs and slows down those it refuses.
//
// Nobody is let in by default: what is not configured refuses. An error is either
// a [RefusedError], which says why in one word, or something that kept the
// question from being decided, such as a database that is down; the two must not
// be confused, and [Status] does not. No error, log line or count holds a token,
// or a part of one.
package auth
