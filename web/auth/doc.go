// Package auth decides who may do what over HTTP.
//
// There are three kinds of callers. QStash signs each delivery ([QStash]).
// Services present a bearer token whose hash is configured ([Tokens]). People
// present the access token of a Supabase session ([Users]), and what they may do
// is decided zone by zone ([ZoneAccess]). A [Guard] authenticates a request,
// and counts, logs and limits refusals.
//
// Everything is refused by default: a kind of caller must be configured to be let in. An
// error is either a [RefusedError], which names the reason in one word, or a failure that
// prevented a decision, such as an unavailable database; [Status] tells the two apart. No
// error, log line or metric contains a token or a part of one.
package auth
