package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/alert"
	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/store/access"
	"gorgone/store/budget"
	"gorgone/store/history"
	"gorgone/store/pause"
	"gorgone/store/purchase"
	"gorgone/store/pushed"
	"gorgone/store/report"
	"gorgone/store/trial"
	"gorgone/throttle"
	"gorgone/web/auth"
)

// Guard authenticates requests. [auth.Guard] is one.
type Guard interface {
	Identify(r *http.Request, body []byte) (auth.Principal, error)
	Refuse(r *http.Request, p auth.Principal, err error) auth.Refusal
}

// Access decides what a caller may do in which zone. [auth.ZoneAccess] does.
type Access interface {
	Check(ctx context.Context, p auth.Principal, zone uuid.UUID, scope auth.Scope) error
	Zones(ctx context.Context, p auth.Principal, scope auth.Scope) (zones []store.Zone, all bool, err error)
	Tenant(ctx context.Context, p auth.Principal) (uuid.UUID, error)
}

// Dispatcher has due tweets looked up.
type Dispatcher interface {
	DispatchOnce(ctx context.Context, limit int) (dispatcher.Result, error)
}

// Triggers records triggers with their responses.
type Triggers interface {
	BeginTrigger(ctx context.Context, messageID string, patience time.Duration) (json.RawMessage, error)
	EndTrigger(ctx context.Context, messageID string, answer json.RawMessage) error
}

// Refreshes has tweets looked up now. [refresh.Service] is one.
type Refreshes interface {
	Do(ctx context.Context, r refresh.Request, wait time.Duration) (refresh.Result, error)
}

// Requests reads refresh requests.
type Requests interface {
	RefreshRequest(ctx context.Context, id uuid.UUID) (store.RefreshRequest, error)
	RefreshUnderWay(ctx context.Context, tweetID string) (bool, error)
}

// Tweets reads tracked tweets.
type Tweets interface {
	Tweet(ctx context.Context, row uuid.UUID) (store.Tweet, error)
	FindTweet(ctx context.Context, ref string) ([]store.Tweet, error)
}

// History reads snapshots.
type History interface {
	History(ctx context.Context, row uuid.UUID, r history.Range) ([]engagement.Snapshot, error)
	Export(ctx context.Context, zone uuid.UUID, r history.Range, page func([]history.ExportRow) error) error
}

// Reports reads statistics, lists, top tweets, and what became of batches and balances.
type Reports interface {
	// Author returns who wrote the tweet of a row, as far as that is known.
	Author(ctx context.Context, row uuid.UUID) (report.Author, error)
	StatsOf(ctx context.Context, zones []uuid.UUID) (report.Stats, error)
	Recent(ctx context.Context, since time.Time, steps int) (report.Recent, error)
	Top(ctx context.Context, q report.TopQuery) ([]report.TopTweet, error)
	CountTop(ctx context.Context, q report.TopQuery) (int, error)
	List(ctx context.Context, q report.ListQuery) (report.List, error)
	ZoneStates(ctx context.Context, zones []uuid.UUID) ([]report.ZoneState, error)
	BatchProgress(ctx context.Context, claims []uuid.UUID) (report.BatchProgress, error)
	Reconcile(ctx context.Context, from time.Time) ([]report.Reconciliation, error)
}

// Alerts reads alerts, and keeps rules and webhooks.
type Alerts interface {
	Rules(ctx context.Context) ([]alert.Rule, error)
	AddRule(ctx context.Context, r alert.Rule) (alert.Rule, error)
	UpdateRule(ctx context.Context, r alert.Rule) (alert.Rule, error)
	RemoveRule(ctx context.Context, id uuid.UUID) error
	Webhooks(ctx context.Context) ([]alert.Webhook, error)
	AddWebhook(ctx context.Context, w alert.Webhook) (alert.Webhook, error)
	UpdateWebhook(ctx context.Context, w alert.Webhook) (alert.Webhook, error)
	RemoveWebhook(ctx context.Context, id uuid.UUID) error

	Alerts(ctx context.Context, q alert.Query) ([]alert.Alert, error)
	CountAlerts(ctx context.Context, q alert.Query) (int, error)
}

// Trials reads the trials of the adaptive schedule.
type Trials interface {
	List(ctx context.Context, zones []uuid.UUID) ([]trial.Trial, error)
}

// Ledger reads what look-ups cost.
type Ledger interface {
	Expenses(ctx context.Context, from, to time.Time) ([]store.Expense, error)
	Spending(ctx context.Context) (store.Spending, error)
	Purchases(ctx context.Context) (purchase.Choices, error)
	Tenants(ctx context.Context) ([]budget.State, error)
	Zones(ctx context.Context) ([]store.Zone, error)
}

// Tracker tracks new tweets.
type Tracker interface {
	Zone(ctx context.Context, id uuid.UUID) (store.Zone, error)
	Zones(ctx context.Context) ([]store.Zone, error)
	Track(ctx context.Context, zone uuid.UUID, tweets []store.NewTweet) ([]store.Tracked, error)
}

// Rules finds the zones of the provider's filter rules.
type Rules interface {
	ZoneOfRule(ctx context.Context, externalID string) (uuid.UUID, error)
}

// Pushed writes what deliveries tell of tweets that are tracked already.
type Pushed interface {
	Observe(ctx context.Context, all []pushed.Observation) (store.Applied, error)
	PullForward(ctx context.Context, tweetIDs []string) (pulled int, err error)
}

// Pruner deletes old refresh requests and trigger responses.
type Pruner interface {
	PruneRequests(ctx context.Context, before time.Time) (int, error)
}

// Live carries updates from the workers to readers of events.
type Live interface {
	WatchEvents(ctx context.Context) (events <-chan queue.Event, stop func(), err error)
	AnnounceSubscriber() error
}

// Queue reads the state of the queue. [queue.Queue] is one.
type Queue interface {
	Live
	Depth(ctx context.Context) (queue.Depth, error)
	Replicas(ctx context.Context, wait time.Duration) ([]queue.Replica, error)
	DeadLetterPage(ctx context.Context, offset, limit int) (letters []queue.DeadLetter, total int, err error)
	DeadLetter(ctx context.Context, seq uint64) (queue.DeadLetter, error)
	DeleteDeadLetter(ctx context.Context, seq uint64) error
}

// Retrier puts the work of dead letters back into the queue. [dispatcher.Retrier] does.
type Retrier interface {
	Retry(ctx context.Context, d queue.DeadLetter, caller refresh.Caller) (did string, err error)
}

// Connection reports on the connection to the queue.
type Connection interface {
	Connected() bool    // now
	Reconnects() uint64 // how often it was lost and restored
}

// Calls reports on calls to the providers.
type Calls interface {
	// Stopped reports whether no calls are made for now, and why.
	Stopped() (stop throttle.Stop, stopped bool)
	Status(ctx context.Context) ([]throttle.ProviderStatus, error)
}

// Settings changes what a zone's settings say of its schedule, and the budgets of zones and
// clients. [access.Store] does.
type Settings interface {
	SetZone(ctx context.Context, zone uuid.UUID, keys json.RawMessage) error
	SetZoneBudget(ctx context.Context, zone uuid.UUID, caps budget.Caps) error
	SetClientBudget(ctx context.Context, client uuid.UUID, caps budget.Caps, by string) error
}

// Pauses sets and reads what operators have paused.
type Pauses interface {
	Set(ctx context.Context, p pause.Pause) error
	Resume(ctx context.Context, lane pause.Lane) (was bool, err error)
	List(ctx context.Context) ([]pause.Pause, error)
}

// Clock tells engine time and database time.
type Clock interface {
	Now() time.Time
	Database() time.Time
	Engine(d time.Duration) time.Duration
	Real(engine time.Duration) time.Duration
}

// Check is a readiness check. Run returns nil if what the server needs works.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
	// Advisory checks are told of and leave the server ready: it would not be better off
	// without requests.
	Advisory bool
}

// Push is a delivery of tweets by the provider's webhook.
type Push struct {
	Test    bool // a test of the address, without tweets
	RuleID  string
	Tweets  []store.NewTweet
	Skipped []string // why tweets were left out

	Beside   []pushed.Observation // what it tells of other tweets, and of its own if they are tracked already
	Answered []string             // tweets that it shows to be answered
}

// DecodePush decodes the body of a delivery.
type DecodePush func(body []byte) (Push, error)

// Parts are what a [Server] is built from. All but Local, Proxies and Checks are required.
type Parts struct {
	Guard      Guard
	Access     Access
	Local      *auth.Local // the local login, the same as Guard's; nil: none
	Proxies    auth.Proxies
	Dispatcher Dispatcher
	Triggers   Triggers
	Refreshes  Refreshes
	Requests   Requests
	Tweets     Tweets
	History    History
	Reports    Reports
	Alerts     Alerts
	Poster     Poster
	Trials     Trials
	Ledger     Ledger
	Tracker    Tracker
	Settings   Settings
	Keys       ClientKeys
	Rules      Rules
	Pushed     Pushed
	Retrier    Retrier
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

// validate returns an error that names every missing part.
func (p Parts) validate() error {
	var missing []string
	for name, absent := range map[string]bool{
		"Guard":      p.Guard == nil,
		"Access":     p.Access == nil,
		"Dispatcher": p.Dispatcher == nil,
		"Triggers":   p.Triggers == nil,
		"Refreshes":  p.Refreshes == nil,
		"Requests":   p.Requests == nil,
		"Tweets":     p.Tweets == nil,
		"History":    p.History == nil,
		"Reports":    p.Reports == nil,
		"Alerts":     p.Alerts == nil,
		"Poster":     p.Poster == nil,
		"Trials":     p.Trials == nil,
		"Ledger":     p.Ledger == nil,
		"Tracker":    p.Tracker == nil,
		"Settings":   p.Settings == nil,
		"Keys":       p.Keys == nil,
		"Rules":      p.Rules == nil,
		"Pushed":     p.Pushed == nil,
		"Retrier":    p.Retrier == nil,
		"Pruner":     p.Pruner == nil,
		"Queue":      p.Queue == nil,
		"Connection": p.Connection == nil,
		"Calls":      p.Calls == nil,
		"Pauses":     p.Pauses == nil,
		"Clock":      p.Clock == nil,
		"DecodePush": p.DecodePush == nil,
	} {
		if absent {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("missing parts: %s", strings.Join(missing, ", "))
}

var (
	_ Guard      = (*auth.Guard)(nil)
	_ Access     = (*auth.ZoneAccess)(nil)
	_ Dispatcher = (*dispatcher.Dispatcher)(nil)
	_ Triggers   = (*access.Store)(nil)
	_ Refreshes  = (*refresh.Service)(nil)
	_ Requests   = (*store.Store)(nil)
	_ Tweets     = (*store.Store)(nil)
	_ History    = (*history.Archive)(nil)
	_ Reports    = (*report.Reader)(nil)
	_ Alerts     = (*alert.Manager)(nil)
	_ Poster     = (*alert.Poster)(nil)
	_ Trials     = (*trial.Store)(nil)
	_ Ledger     = (*store.Store)(nil)
	_ Tracker    = (*store.Store)(nil)
	_ Rules      = (*access.Store)(nil)
	_ Settings   = (*access.Store)(nil)
	_ Pruner     = (*store.Store)(nil)
	_ Queue      = (*queue.Queue)(nil)
	_ Connection = (*queue.Conn)(nil)
	_ Pauses     = (*pause.Store)(nil)
	_ Calls      = throttle.Providers(nil)
)
