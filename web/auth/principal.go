package auth

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Scope is something a caller may do.
type Scope string

// The scopes.
const (
	ScopeDispatch Scope = "dispatch" // dispatch due tweets
	ScopeTrack    Scope = "track"    // add tweets
	ScopeRead     Scope = "read"     // read counters, history, statistics and events
	ScopeRefresh  Scope = "refresh"  // refresh a tweet
	ScopeOperate  Scope = "operate"  // read, retry and drop dead letters
)

// Scopes returns all scopes.
func Scopes() []Scope {
	return []Scope{ScopeDispatch, ScopeTrack, ScopeRead, ScopeRefresh, ScopeOperate}
}

// Kind is how a caller was authenticated.
type Kind string

// The kinds.
const (
	KindQStash  Kind = "qstash"
	KindService Kind = "service"
	KindUser    Kind = "user"
	KindLocal   Kind = "local" // a session of the local login; it may do everything
)

// Principal is an authenticated caller.
type Principal struct {
	Kind Kind
	// Name identifies the caller in logs: a token's name, a user's id, or "qstash".
	Name string
	// UserID is the user's id; zero for others.
	UserID uuid.UUID
	// Scopes are what a service or QStash may do. Users have none of their own:
	// see [ZoneAccess].
	Scopes []Scope
	// Expires is when the credentials of a user or a session end; zero: they do not.
	Expires time.Time
	// Message is QStash's delivery; nil for other callers.
	Message *Message
}

// Can reports whether the caller has the scope in every zone. It is false for users,
// whatever their role: [ZoneAccess] decides for them.
func (p Principal) Can(scope Scope) bool { return slices.Contains(p.Scopes, scope) }
