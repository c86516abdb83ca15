package auth

import (
	"slices"

	"github.com/google/uuid"
)

// Scope is something a caller may do.
type Scope string

// The scopes.
const (
	ScopeDispatch Scope = "dispatch" // have what is due looked up
	ScopeTrack    Scope = "track"    // add tweets
	ScopeRead     Scope = "read"     // see counters, history, statistics and events
	ScopeRefresh  Scope = "refresh"  // have one tweet looked up now
	ScopeOperate  Scope = "operate"  // see dead letters, and retry or drop them
)

// Scopes returns all scopes there are.
func Scopes() []Scope {
	return []Scope{ScopeDispatch, ScopeTrack, ScopeRead, ScopeRefresh, ScopeOperate}
}

// Kind says how a caller proved who it is.
type Kind string

// The kinds.
const (
	KindQStash  Kind = "qstash"
	KindService Kind = "service"
	KindUser    Kind = "user"
	KindLocal   Kind = "local" // a session of the local login; it may do everything
)

// Principal is a caller that proved who it is.
type Principal struct {
	Kind Kind
	// Name is what to call it in a log: a token's name, a user's id, or "qstash".
	Name string
	// UserID is the user's id; zero for others.
	UserID uuid.UUID
	// Scopes are what a service or QStash may do. Users have none of their own:
	// see [ZoneAccess].
	Scopes []Scope
	// Message is the delivery, when QStash made it; else nil.
	Message *Message
}

// Can reports whether the caller may do something in every zone. It is false for
// users, whatever their role: [ZoneAccess] decides for them.
func (p Principal) Can(scope Scope) bool { return slices.Contains(p.Scopes, scope) }
