package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/web/auth"
)

// Guard finds out who sent a request. [auth.Guard] is one.
type Guard interface {
	Identify(r *http.Request, body []byte) (auth.Principal, error)
	Refuse(r *http.Request, p auth.Principal, err error) auth.Refusal
}

// Access decides what a caller may do in which zone. [auth.ZoneAccess] is one.
type Access interface {
	Check(ctx context.Context, p auth.Principal, zone uuid.UUID, scope auth.Scope) error
	Zones(ctx context.Context, p auth.Principal, scope auth.Scope) (zones []store.Zone, all bool, err error)
}

// Dispatcher has what is due looked up.
type Dispatcher interface {
	DispatchOnce(ctx context.Context, limit int) (dispatcher.Result, error)
}

// Triggers remembers which triggers were answered, and the batches they made.
type Triggers interface {
	BeginTrigger(ctx context.Context, messageID string, patience time.Duration) (json.RawMessage, error)
	EndTrigger(ctx context.Context, messageID string, answer json.RawMessage) error
	BatchProgress(ctx context.Context, claims []uuid.UUID) (store.BatchProgress, error)
	Stats(ctx context.Context) (store.Stats, error)
	Recent(ctx context.Context, since time.Time, steps int) (store.Recent, error)
}

// Requests remembers which refreshes were asked for.
type Requests interface {
	OpenRefresh(ctx context.Context, r store.RequestRefresh) (request store.RefreshRequest, fresh bool, err error)
	CancelRefresh(ctx context.Context, id uuid.UUID) error
	RefreshRequest(ctx context.Context, id uuid.UUID) (store.RefreshRequest, error)
	RefreshUnderWay(ctx context.Context, tweetID string) (bool, error)
}

// Tweets is what was seen.
type Tweets interface {
	Tweet(ctx context.Context, row uuid.UUID) (store.Tweet, error)
	History(ctx context.Context, row uuid.UUID, r store.HistoryRange) ([]engagement.Snapshot, error)
	Top(ctx context.Context, q store.TopQuery) ([]store.TopTweet, error)
	List(ctx context.Context, q store.ListQuery) (store.List, error)
	Export(ctx context.Context, zone uuid.UUID, r store.HistoryRange, page func([]store.ExportRow) error) error
}

// Alerts is what rules have told of.
type Alerts interface {
	Alerts(ctx context.Context, q store.AlertQuery) ([]store.Alert, error)
}

// Books is what look-ups cost.
type Books interface {
	Expenses(ctx context.Context, from, to time.Time) ([]store.Expense, error)
	Spent(ctx context.Context) (store.Spent, error)
	Reconcile(ctx context.Context, from time.Time) ([]store.Reconciliation, error)
	Purchases(ctx context.Context) (store.Purchases, error)
}

// Tracker takes new tweets in.
type Tracker interface {
	Zone(ctx context.Context, id uuid.UUID) (store.Zone, error)
	Zones(ctx context.Context) ([]store.Zone, error)
	ZoneOfRule(ctx context.Context, externalID string) (uuid.UUID, error)
	Track(ctx context.Context, zone uuid.UUID, tweets []store.NewTweet) ([]store.Tracked, error)
}

// Pruner forgets what is long over.
type Pruner interface {
	PruneRequests(ctx context.Context, before time.Time) (int, error)
}

// Refresher carries refreshes to the workers, and their results back.
type Refresher interface {
	PublishRefresh(ctx context.Context, r queue.Refresh) (coalesced bool, err error)
	WatchDone(ctx context.Context, tweetID string) (results <-chan queue.Done, stop func(), err error)
}

// Live carries what the workers see to those who watch.
type Live interface {
	WatchEvents(ctx context.Context) (events <-chan queue.Event, stop func(), err error)
	CallAudience() error
}

// Queue is what carries all of it. [queue.Queue] is one.
type Queue interface {
	Refresher
	Live
	Depth(ctx context.Context) (queue.Depth, error)
	RollCall(ctx context.Context, wait time.Duration) ([]queue.Replica, error)
	DeadLetters(ctx context.Context, limit int) ([]queue.DeadLetter, error)
	DeadLetter(ctx context.Context, seq uint64) (queue.DeadLetter, error)
	DropDeadLetter(ctx context.Context, seq uint64) error
}

// Letters does again what dead letters asked for. [deadletter.Retrier] is one.
type Letters interface {
	Retry(ctx context.Context, d queue.DeadLetter) (did string, err error)
}

// Connection tells how it stands with the queue.
type Connection interface {
	Connected() bool    // at this moment
	Reconnects() uint64 // how often it was lost and came back
}

// Calls tells how the calls to the providers are doing.
type Calls interface {
	// Stopped tells whether none is made for the time being, and why.
	Stopped() (stop queue.Stop, stopped bool)
	Status(ctx context.Context) ([]queue.SourceStatus, error)
}

// Pauses knows what people have paused.
type Pauses interface {
	Pauses(ctx context.Context) ([]store.Pause, error)
}

// Clock tells engine time and database time.
type Clock interface {
	Now() time.Time
	Database() time.Time
	Engine(d time.Duration) time.Duration
	Real(engine time.Duration) time.Duration
}

// Check looks at something this server needs, and returns what is wrong with it.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Push is a delivery of tweets by the provider.
type Push struct {
	Test    bool // only to see whether the address is right
	RuleID  string
	Tweets  []store.NewTweet
	Skipped []string // why elements could not be used
}

// DecodePush reads the body of a delivery.
type DecodePush func(body []byte) (Push, error)

// Parts are what the server works with. All of them but Local are required.
type Parts struct {
	Guard      Guard
	Access     Access
	Local      *auth.Local // the local login, which Guard knows too; nil: none
	Proxies    auth.Proxies
	Dispatcher Dispatcher
	Triggers   Triggers
	Requests   Requests
	Tweets     Tweets
	Alerts     Alerts
	Books      Books
	Tracker    Tracker
	Letters    Letters
	Pruner     Pruner
	Queue      Queue
	Connection Connection
	Calls      Calls
	Pauses     Pauses
	Clock      Clock
	DecodePush DecodePush
	Checks     []Check
	Log        zerolog.Logger
}

var (
	_ Guard      = (*auth.Guard)(nil)
	_ Access     = (*auth.ZoneAccess)(nil)
	_ Dispatcher = (*dispatcher.Dispatcher)(nil)
	_ Triggers   = (*store.Store)(nil)
	_ Requests   = (*store.Store)(nil)
	_ Tweets     = (*store.Store)(nil)
	_ Alerts     = (*store.Store)(nil)
	_ Books      = (*store.Store)(nil)
	_ Tracker    = (*store.Store)(nil)
	_ Pruner     = (*store.Store)(nil)
	_ Queue      = (*queue.Queue)(nil)
	_ Connection = (*queue.Conn)(nil)
	_ Pauses     = (*store.Store)(nil)
	_ Calls      = queue.Sources(nil)
)
