package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/store/keys"
	"gorgone/store/pushed"
	"gorgone/twitter"
	"gorgone/web"
	"gorgone/web/auth"
)

// WebOptions say what is special about the web server of an App.
type WebOptions struct {
	AnyPort    bool     // when the configured port is taken, any other of that host will do
	LocalLogin bool     // people on this machine may log in with a code, unless others can reach the server
	Sessions   string   // file that local sessions are kept in, so that sessions outlast a restart; may be empty
	Tokens     []string // entries of services that may call, beside the configured ones
	WebhookKey string   // of pushed tweets, where the configuration gives none
}

// server is the web server and what runs beside it.
type server struct {
	*web.Server

	listener net.Listener
	local    *auth.Local // nil: there is no local login
	users    *auth.Users // nil: there are no users
}

// listen opens the address to serve on.
func listen(ctx context.Context, address string, o WebOptions, log zerolog.Logger) (*server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if o.AnyPort && errors.Is(err, syscall.EADDRINUSE) {
		host, _, splitErr := net.SplitHostPort(address)
		if splitErr == nil {
			log.Warn().Str("address", address).Msg("the address is taken; serving http on another port")
			l, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
		}
	}
	if err != nil {
		return nil, failure.Usagef("serve http: %w (set another address with --listen)", err)
	}
	return &server{listener: l}, nil
}

func (s *server) close() { _ = s.listener.Close() }

// WebURL returns the address of the web server; "" without that role.
func (a *App) WebURL() string {
	if a.web == nil {
		return ""
	}
	return "http://" + a.web.listener.Addr().String()
}

// LoginCode returns a code for one local login; "" when there is no local login.
func (a *App) LoginCode() (string, error) {
	if a.web == nil || a.web.local == nil {
		return "", nil
	}
	return a.web.local.Code()
}

// serve runs the web server until ctx ends.
func (a *App) serve(ctx context.Context) error {
	a.log.Info().Stringer("address", a.web.listener.Addr()).Str("issuer", a.issuer()).Msg("serving http")
	beside, stop := context.WithCancel(ctx)
	var tasks conc.WaitGroup
	defer tasks.Wait()
	defer stop()
	if !a.runs(Dispatcher) {
		// Where QStash triggers the dispatches, no other process does the housekeeping.
		tasks.Go(func() { a.maintain(beside) })
	}
	if a.web.users != nil {
		tasks.Go(func() { a.web.users.Run(beside) })
	}
	err := a.web.Serve(ctx, a.web.listener)
	if err != nil {
		a.log.Error().Err(err).Msg("the web server ended")
	}
	return err
}

// issuer is who signs in the users that may call; "" when there are none.
func (a *App) issuer() string {
	if a.web.users == nil {
		return ""
	}
	return a.cfg.Web.Issuer()
}

// buildServer builds the server that listens already.
func (a *App) buildServer(o WebOptions) (err error) {
	if o.LocalLogin {
		if a.web.local, err = a.newLocal(o.Sessions); err != nil {
			return err
		}
	}
	key := a.webhookKey(o)
	cfg := a.cfg.Web
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	proxies, err := auth.ParseProxies(config.List(cfg.Proxies))
	fault(err)
	services, err := auth.NewTokens(append(cfg.TokenEntries(), o.Tokens...), string(a.cfg.Provider.Key), key)
	fault(err)
	a.web.users, err = a.newUsers()
	fault(err)
	qstash, err := newQStashVerifier(cfg, a.db.Access)
	fault(err)
	access, err := auth.NewZoneAccess(a.db.Access, cfg.ReadRoles(), cfg.RefreshRoles())
	fault(err)
	if err := errors.Join(faults...); err != nil {
		return failure.Usagef("%w", err)
	}
	a.warnWithoutCallers(o)
	local := a.web.local
	guard := auth.NewGuard(auth.GuardConfig{QStash: qstash, Tokens: services, Users: a.web.users, Local: local, Proxies: proxies, OnRefused: a.process.Metrics.Refused, Log: a.log})
	s := a.db.Store
	refreshes := &refresh.Service{Requests: s, Queue: a.queue.Queue, Calls: a.stops, Clock: a.db.Clock, Tracer: a.tracer, Log: a.log}
	a.web.Server, err = web.New(web.Config{
		Version: a.process.Version, Origins: config.List(cfg.Origins), WebhookKey: key, Grace: a.cfg.Worker.Grace,
		UserLimits: store.Limits{Cooldown: cfg.Cooldown, Allowance: cfg.Allowance}, UserForce: cfg.Force,
		OnRequest:   a.process.Metrics.Requested,
		SupabaseURL: cfg.SupabaseURL, SupabaseKey: cfg.SupabaseKey,
	}, web.Parts{
		Guard: guard, Access: access, Local: local, Proxies: proxies,
		Dispatcher: a.dispatcher, Triggers: a.db.Access, Refreshes: refreshes, Requests: s, Tweets: s, History: a.db.History, Reports: a.db.Report, Alerts: a.db.Alerts, Poster: NewPoster(a.cfg.Alert, a.db.Clock.Database, a.process.Version), Trials: a.db.Trials, Ledger: s, Tracker: s, Rules: a.db.Access, Pushed: a.db.Pushed, Settings: a.db.Access, Keys: sealedKeys{a.db.Keys, a.keys.sealer},
		Retrier: dispatcher.Retrier{Queue: a.queue.Queue, Rows: s, Tweets: s, Refreshes: refreshes, Clock: a.db.Clock}, Pruner: s,
		Queue: a.queue.Queue, Connection: a.queue.Conn, Calls: a.stops, Pauses: a.db.Pauses, Clock: a.db.Clock,
		DecodePush: decodePush, Checks: a.checks(), Log: a.log,
	})
	if err != nil {
		return failure.Usagef("%w", err)
	}
	return nil
}

// newLocal returns the local login. There is none when others can reach the server;
// they need a token.
func (a *App) newLocal(sessions string) (*auth.Local, error) {
	local, err := auth.NewLocal(a.web.listener.Addr(), rand.Reader, time.Now)
	if errors.Is(err, auth.ErrNotLocal) {
		a.log.Info().Msg("no local login to the dashboard, as others can reach it: paste the service token there")
		return nil, nil
	}
	if err == nil && sessions != "" {
		err = local.KeepIn(sessions)
	}
	return local, err
}

// warnWithoutCallers says that no caller is configured, when that is so.
func (a *App) warnWithoutCallers(o WebOptions) {
	cfg := a.cfg.Web
	if a.web.local == nil && a.web.users == nil && len(cfg.TokenEntries())+len(o.Tokens) == 0 && !cfg.SignedByQStash() {
		a.log.Warn().Msg("no caller is configured, so every request will be refused: set GORGONE_WEB_TOKENS to what gorgone token new prints, or SUPABASE_URL to let the project's users sign in")
	}
}

// webhookKey is what the provider sends with what it pushes, "" when pushed tweets are
// not taken.
func (a *App) webhookKey(o WebOptions) string {
	key := a.cfg.Provider.WebhookKey(a.cfg.Web)
	if key == "" && a.cfg.Provider.Pushes() {
		a.log.Warn().Msgf("TWITTER_API_KEY has fewer than %d characters, too few to know the provider's webhook by: to take pushed tweets set GORGONE_WEB_WEBHOOK_KEY", web.MinWebhookKey)
	}
	if key == "" {
		return o.WebhookKey
	}
	return key
}

func (a *App) newUsers() (*auth.Users, error) {
	cfg := a.cfg.Web
	if cfg.SupabaseURL == "" {
		return nil, nil
	}
	keys, err := auth.NewKeys(auth.KeysConfig{
		URL: cfg.KeySet(),
		OnFetch: func(err error) {
			if err != nil {
				a.log.Warn().Err(err).Msg("the keys of Supabase were not fetched; those known go on to serve")
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("SUPABASE_URL: %w", err)
	}
	return auth.NewUsers(auth.UserConfig{Issuer: cfg.Issuer(), Keys: keys, Secret: []byte(cfg.SupabaseSecret)})
}

// newQStashVerifier returns nil when QStash may not call.
func newQStashVerifier(cfg config.Web, uses auth.TokenUses) (*auth.QStash, error) {
	if !cfg.SignedByQStash() {
		return nil, nil
	}
	q := cfg.QStashVerifier()
	q.Uses = uses
	return auth.NewQStash(q)
}

// checks is what /readyz looks at.
func (a *App) checks() []web.Check {
	checks := []web.Check{
		{Name: "database", Run: a.db.DB.Ping},
		{Name: "nats", Run: func(context.Context) error {
			if !a.queue.Conn.Connected() {
				return errors.New("not connected")
			}
			return nil
		}},
		// A web server without room in the streams still answers what it can.
		{Name: "streams", Run: a.streams.check, Advisory: a.runs(Web)},
		{Name: "calls", Run: a.lastCalls, Advisory: true},
		{Name: "migrations", Run: func(ctx context.Context) error {
			have, want, err := a.db.DB.SchemaVersion(ctx)
			if err == nil && have != want {
				err = fmt.Errorf("version %d, want %d: run gorgone migrate", have, want)
			}
			return err
		}},
	}
	if a.worker != nil {
		checks = append(checks, web.Check{Name: "writes", Run: func(context.Context) error { return a.worker.Ready() }})
	}
	return checks
}

// decodePush hands web what twitter reads.
func decodePush(body []byte) (web.Push, error) {
	p, err := twitter.DecodePush(body)
	if err != nil {
		return web.Push{}, err
	}
	push := web.Push{Test: p.Event == twitter.EventTest, RuleID: p.RuleID}
	for _, t := range p.Tweets {
		push.Tweets = append(push.Tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: t.Text, Metrics: t.Metrics, Raw: t.Raw})
		if t.ReplyTo != "" {
			push.Answered = append(push.Answered, t.ReplyTo)
		}
	}
	for _, e := range p.Beside() {
		push.Beside = append(push.Beside, pushed.Observation{TweetID: e.ID, Observation: engagement.Observation{
			At: e.At, Metrics: e.Metrics, Provider: e.Provider,
		}})
	}
	for _, why := range p.Skipped {
		push.Skipped = append(push.Skipped, why.Error())
	}
	return push, nil
}

// sealedKeys seals what is set.
type sealedKeys struct {
	*keys.Store

	sealer *keys.Sealer
}

// Set implements web.ClientKeys.
func (k sealedKeys) Set(ctx context.Context, set keys.Setting) (keys.Key, error) {
	return k.Store.Set(ctx, k.sealer, set)
}
