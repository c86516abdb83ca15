package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sourcegraph/conc"
	"github.com/spf13/cobra"

	"gorgone/deadletter"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/web"
	"gorgone/web/auth"
)

func newWeb(a *app) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Serve HTTP: the dashboard, trigger, refresh, track, history, live events",
		Long: `Serve the HTTP routes that the web application, QStash and people use;
docs/http-api.md shows each; the dashboard is at /. Start as many as you like behind a load balancer.

Nobody may call unless it is configured who: services by GORGONE_WEB_TOKENS
(gorgone token new makes one), QStash by its signing keys, users by
SUPABASE_URL. /healthz says that the process is alive, /readyz whether it can
answer.`,
		Example: `  gorgone web
  gorgone web --listen 0.0.0.0:8080`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if listen != "" {
				a.cfg.Web.Listen = listen
			}
			l, err := a.listen(cmd.Context(), false)
			if err != nil {
				return err
			}
			defer l.Close()
			return a.runRole(cmd.Context(), "web", func(ctx context.Context, p parts) error {
				s, err := a.newServer(p, nil, a.knownTokens(), a.webhookKey())
				if err != nil {
					return err
				}
				leave, err := a.attend(p, nil, "web")
				if err != nil {
					return err
				}
				defer leave()
				a.log.Info().Stringer("address", l.Addr()).Msg("serving http")
				// Where QStash triggers the dispatches, nobody else keeps house.
				keeping, stop := context.WithCancel(ctx)
				var beside conc.WaitGroup
				beside.Go(func() { a.maintain(keeping, p) })
				defer beside.Wait()
				defer stop()
				return s.run(ctx, l)
			})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address to serve on (default: GORGONE_WEB_LISTEN)")
	return cmd
}

// listen opens the address to serve on. When it is taken, any port of the same
// host will do if so said.
func (a *app) listen(ctx context.Context, orAnyPort bool) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.cfg.Web.Listen)
	if orAnyPort && errors.Is(err, syscall.EADDRINUSE) {
		host, _, splitErr := net.SplitHostPort(a.cfg.Web.Listen)
		if splitErr == nil {
			a.log.Warn().Str("address", a.cfg.Web.Listen).Msg("the address is taken; serving http on another port")
			l, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
		}
	}
	if err != nil {
		return nil, usageError("serve http: %w (set another address with --listen)", err)
	}
	return l, nil
}

// server is the web server and what runs beside it.
type server struct {
	*web.Server

	users *auth.Users // nil: no users
}

// run serves until ctx ends.
func (s server) run(ctx context.Context, l net.Listener) error {
	var beside conc.WaitGroup
	defer beside.Wait()
	if s.users != nil {
		fetching, stop := context.WithCancel(ctx)
		defer stop()
		beside.Go(func() { s.users.Run(fetching) })
	}
	return s.Serve(ctx, l)
}

// newServer builds the server. local may be nil; tokens are entries of services
// that may call.
func (a *app) newServer(p parts, local *auth.Local, tokens []string, webhookKey string) (server, error) {
	cfg := a.cfg.Web
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	proxies, err := auth.ParseProxies(list(cfg.Proxies))
	fault(err)
	services, err := auth.NewTokens(tokens, string(a.cfg.Provider.Key), webhookKey)
	fault(err)
	users, err := a.newUsers()
	fault(err)
	qstash, err := a.newQStashVerifier(p.store)
	fault(err)
	access, err := auth.NewZoneAccess(p.store, cfg.refreshers())
	fault(err)
	if err := errors.Join(faults...); err != nil {
		return server{}, usageError("%w", err)
	}
	guard := auth.NewGuard(auth.GuardConfig{QStash: qstash, Tokens: services, Users: users, Local: local, Proxies: proxies, OnRefused: a.metrics.Refused, Log: a.log})
	s, err := web.New(web.Config{
		Version: versionString(), Origins: list(cfg.Origins), WebhookKey: webhookKey, Grace: a.cfg.Worker.Grace,
		UserLimits: store.Limits{Cooldown: cfg.Cooldown, Allowance: cfg.Allowance}, UserForce: cfg.Force,
		Tracer: p.tracer, OnRequest: a.metrics.Requested,
		SupabaseURL: cfg.SupabaseURL, SupabaseKey: cfg.SupabaseKey,
	}, web.Parts{
		Guard: guard, Access: access, Local: local, Proxies: proxies,
		Dispatcher: a.newDispatcher(p), Triggers: p.store, Requests: p.store, Tweets: p.store, Alerts: p.store, Books: p.store, Tracker: p.store, Letters: deadletter.Retrier{Queue: p.queue, Rows: p.store, Clock: p.clock}, Pruner: p.store,
		Queue: p.queue, Connection: p.conn, Calls: p.stops, Pauses: p.store, Clock: p.clock,
		DecodePush: decodePush, Checks: checks(p), Log: a.log,
	})
	if err != nil {
		return server{}, usageError("%w", err)
	}
	return server{s, users}, nil
}

// list splits what is separated by commas; nothing makes an empty list.
func list(s string) (items []string) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (a *app) knownTokens() []string { return list(string(a.cfg.Web.Tokens)) }

// webhookKey is what the provider sends with what it pushes, "" when pushed tweets
// are not taken by anything that was configured.
func (a *app) webhookKey() string {
	key := a.cfg.Provider.webhookKey(a.cfg.Web)
	if key == "" && a.cfg.Provider.pushes() {
		a.log.Warn().Msgf("TWITTER_API_KEY has fewer than %d characters, too few to know the provider's webhook by: to take pushed tweets set GORGONE_WEB_WEBHOOK_KEY", web.MinWebhookKey)
	}
	return key
}

func (a *app) newUsers() (*auth.Users, error) {
	cfg := a.cfg.Web
	if cfg.SupabaseURL == "" {
		return nil, nil
	}
	issuer := cfg.issuer()
	keys, err := auth.NewKeys(auth.KeysConfig{
		URL: issuer + keySetPath,
		OnFetch: func(err error) {
			if err != nil {
				a.log.Warn().Err(err).Msg("the keys of Supabase were not fetched; those known go on to serve")
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("SUPABASE_URL: %w", err)
	}
	return auth.NewUsers(auth.UserConfig{Issuer: issuer, Keys: keys, Secret: []byte(cfg.SupabaseSecret)})
}

func (a *app) newQStashVerifier(uses auth.TokenUses) (*auth.QStash, error) {
	cfg := a.cfg.Web
	if cfg.QStashCurrent == "" && cfg.QStashNext == "" && cfg.QStashMore == "" {
		return nil, nil // it may not call; a key that is missing beside others is a mistake
	}
	q := cfg.qstash()
	q.Uses = uses
	return auth.NewQStash(q)
}

// checks is what /readyz looks at.
func checks(p parts) []web.Check {
	return []web.Check{
		{Name: "database", Run: p.db.Ping},
		{Name: "nats", Run: func(context.Context) error {
			if !p.conn.Connected() {
				return errors.New("not connected")
			}
			return nil
		}},
		{Name: "migrations", Run: func(ctx context.Context) error {
			have, want, err := p.db.SchemaVersion(ctx)
			if err == nil && have != want {
				err = fmt.Errorf("version %d, want %d: run gorgone migrate", have, want)
			}
			return err
		}},
	}
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
	}
	for _, why := range p.Skipped {
		push.Skipped = append(push.Skipped, why.Error())
	}
	return push, nil
}

// The secrets that gorgone up makes for this machine, files in its data folder.
const (
	localTokenFile = "service-token" // may do everything
	localPushFile  = "webhook-key"   // for pushed tweets, when the provider is our double
)

// localSecret reads a secret of the data folder, and makes it at the first start.
func (a *app) localSecret(name string) (string, error) {
	path := filepath.Join(a.dataDir, name)
	data, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret, err := auth.NewToken(rand.Reader)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return secret, nil
}

// newLocalServer builds the server of gorgone up, which also knows the token in
// the data folder, and the local login, if there is one.
func (a *app) newLocalServer(p parts, local *auth.Local) (server, error) {
	token, err := a.localSecret(localTokenFile)
	if err != nil {
		return server{}, err
	}
	entry, err := auth.TokenEntry("local", auth.Scopes(), token)
	if err != nil {
		return server{}, fmt.Errorf("the token in %s: %w", filepath.Join(a.dataDir, localTokenFile), err)
	}
	push := a.webhookKey()
	if push == "" {
		if push, err = a.localSecret(localPushFile); err != nil {
			return server{}, err
		}
	}
	return a.newServer(p, local, append(a.knownTokens(), entry), push)
}
