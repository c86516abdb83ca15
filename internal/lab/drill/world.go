package drill

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/freeport"
	"gorgone/internal/lab/drill/hosts"
	"gorgone/internal/lab/drill/link"
	"gorgone/internal/lab/drill/supervise"
	"gorgone/internal/lab/lookups"
	"gorgone/store"
	pg "gorgone/store/postgres"
)

// world is the system under test and all that surrounds it.
type world struct {
	Options
	events    history
	network   *hosts.Network
	links     *link.Links
	provider  *provider
	processes []*supervise.Process // dispatchers, workers, web
	nodes     []*supervise.Process // of NATS

	natsAddresses []string // of those, for clients
	natsPages     []string // and of their monitoring pages

	refresher *refresher
	pauses    pauses
	points    pointCounts
	samples   samples

	databases    databases
	db           *pg.DB
	sql          *pgxpool.Pool // for the checks, which do not trust the store
	nats         *nats.Conn    // likewise
	clock        *clock.Clock
	setting      clock.Setting
	rows         map[uuid.UUID]string // tweet by row
	rowList      []uuid.UUID          // the same rows, in an order that the seed decides
	tweets       []string             // all of them, in order
	zone         uuid.UUID            // where new ones are tracked
	unseenTweets []store.NewTweet     // that are not tracked yet
	massive      bool                 // there is a mass deletion

	budgetsMu sync.Mutex
	budgets   []budgetWindow

	watchers conc.WaitGroup

	faultsFrom, faultsTo, settledAt time.Time
	caughtUpAt                      time.Time     // when the backlog of the faults was worked off; zero: never
	open                            unsettled     // when the time to settle was over
	late                            time.Duration // likewise: the most overdue look-up, real time
	revived                         []string      // tweets that were known gone, and came back
	openBreakers                    []string      // circuit breakers that did not close
	stopErrors                      []error
}

func newWorld(o Options) (*world, error) {
	network := hosts.Loopback()
	if o.Hosts {
		var err error
		network, err = hosts.New(hosts.Conditions{Latency: o.Latency, Jitter: o.Latency / 4, Loss: o.Loss, Seed: o.Seed})
		if err != nil {
			return nil, err
		}
	}
	return &world{Options: o, network: network, links: link.New(network.Address())}, nil
}

// start starts everything, in the order in which one needs the other.
func (w *world) start(ctx context.Context) error {
	if err := w.databases.start(ctx, w.network, w.Options); err != nil {
		return err
	}
	if err := w.openDatabase(ctx); err != nil {
		return err
	}
	if err := w.startNATS(ctx); err != nil {
		return err
	}
	var err error
	if w.provider, err = newProvider(w); err != nil {
		return err
	}
	if err := w.load(ctx); err != nil {
		return err
	}
	return w.startEngine(ctx)
}

// openDatabase makes the schema and sets the clock, which runs faster than real time.
func (w *world) openDatabase(ctx context.Context) error {
	address := w.databases.url() + "&default_transaction_read_only=off" // the drill writes, whatever others may
	if _, err := pg.Migrate(ctx, address); err != nil {
		return err
	}
	var err error
	if w.db, err = pg.Connect(ctx, pg.Config{URL: address, MaxConns: 4, ApplicationName: drillName}); err != nil {
		return err
	}
	if err := w.db.MarkPrivate(ctx); err != nil {
		return err
	}
	if err := lookups.Keep(ctx, w.db); err != nil {
		return err
	}
	now, err := w.db.DatabaseTime(ctx)
	if err != nil {
		return err
	}
	w.setting = clock.Setting{Database: now, Engine: w.firstTime(now), Speed: speed}
	if err := w.db.SetClockSetting(ctx, w.setting); err != nil {
		return err
	}
	if w.clock, err = clock.New(ctx, w.db, w.setting); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return fmt.Errorf("read the database url: %w", err)
	}
	config.ConnConfig.RuntimeParams["application_name"] = drillName
	config.MaxConns = 4
	if w.sql, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	return w.prepareFaults(ctx)
}

// untilFaults is about how long it takes from then until the faults begin.
const untilFaults = 10 * time.Second

// firstTime is the engine's time at the beginning, which is now by the database's clock: where a
// UTC day is a unit of the bill, one that has midnight come halfway through the faults.
func (w *world) firstTime(now time.Time) time.Time {
	if !w.billing().DayPass {
		return now
	}
	return engagement.UTCDay(now).Add(-(untilFaults + w.Duration/2) * speed)
}

// drillName is what the drill's own connections are called.
const drillName = "gorgone drill"

// newProcess prepares a process of this program, on a host. Of our own environment it gets
// nothing that sets up the engine.
func (w *world) newProcess(name string, on *hosts.Host, env []string, args ...string) *supervise.Process {
	inherited := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		for _, prefix := range []string{"GORGONE_", "TWITTER_", "NATS_", "DATABASE_URL=", "SUPABASE_", "QSTASH_", "OTEL_"} {
			if strings.HasPrefix(entry, prefix) {
				return true
			}
		}
		return false
	})
	return &supervise.Process{Name: name, Program: w.Program, Args: args, Env: append(inherited, env...), Dir: w.Dir, Begin: on.Start}
}

// startEngine starts the roles, each behind proxies of its own.
func (w *world) startEngine(ctx context.Context) error {
	h, err := w.network.Host("migrate")
	if err != nil {
		return err
	}
	migrate := w.newProcess("migrate", h, []string{"DATABASE_URL=" + w.databases.url(), "NATS_URL=" + natsURL(w.natsAddresses), "GORGONE_LEASE=" + lease.String(), w.replicas()}, "migrate")
	if err := migrate.Run(ctx); err != nil {
		return err
	}
	ports, err := freeport.Find(ctx, w.Dispatchers+w.Workers+2)
	if err != nil {
		return err
	}
	add := func(name, role string, more ...string) error {
		h, err := w.network.Host(name)
		if err != nil {
			return err
		}
		env, err := w.environment(ctx, name)
		if err != nil {
			return err
		}
		monitor := h.At(ports[1+len(w.processes)])
		p := w.newProcess(name, h, slices.Concat(env, more, []string{"GORGONE_METRICS_ADDR=" + monitor}), role)
		p.Monitor = monitor
		w.processes = append(w.processes, p)
		return p.Start()
	}
	for i := range w.Dispatchers {
		if err := add(fmt.Sprintf("%s-%d", partDispatch, i+1), "dispatcher"); err != nil {
			return err
		}
	}
	for i := range w.Workers {
		if err := add(fmt.Sprintf("%s-%d", partWorker, i+1), "worker"); err != nil {
			return err
		}
	}
	const web = partWeb + "-1"
	if h, err = w.network.Host(web); err != nil {
		return err
	}
	address := h.At(ports[0])
	if w.refresher, err = newRefresher(w, "http://"+address); err != nil {
		return err
	}
	if err := add(web, "web", "GORGONE_WEB_LISTEN="+address, "GORGONE_WEB_TOKENS="+w.refresher.entry); err != nil {
		return err
	}
	return w.refresher.ready(ctx)
}

func (w *world) replicas() string { return "GORGONE_STREAM_REPLICAS=" + strconv.Itoa(w.Nodes) }

// environment is that of a role, with the addresses of its proxies.
func (w *world) environment(ctx context.Context, name string) ([]string, error) {
	through, err := w.links.Open(name, partPostgres, w.databases.addresses()...)
	if err != nil {
		return nil, err
	}
	database := w.databases.through(through)
	nodes, err := w.links.Open(name, partNATS, w.natsAddresses...)
	if err != nil {
		return nil, err
	}
	front, err := w.provider.front(ctx, name)
	if err != nil {
		return nil, err
	}
	if through, err = w.links.Open(name, partProvider, front); err != nil {
		return nil, err
	}
	return append(w.provider.reached(through[0]),
		"DATABASE_URL="+database,
		"NATS_URL="+natsURL(nodes),
		w.replicas(),
		"TWITTER_PROVIDER="+w.Provider,
		"TWITTER_API_KEY="+providerKey,
		"SCHEDULE=tiers", // a budget, which a fault sets, must not change it
		fmt.Sprintf("TWITTER_RATE=%g", w.Rate),
		"TWITTER_TIMEOUT="+callTimeout.String(),
		"TWITTER_BREAKER_REST="+breakerRest.String(),
		"TWITTER_BREAKER_REST_MAX="+breakerMaxRest.String(),
		"GORGONE_TIERS=ultra_hot 10000h "+(w.Every*speed).String(),
		"GORGONE_DISPATCH_EVERY="+(speed*time.Second).String(),
		fmt.Sprintf("GORGONE_BATCH_TWEETS=%d", idsPerCall),
		"GORGONE_GRACE="+grace.String(),
		"GORGONE_GONE_SPAN="+goneSpan.String(),
		"GORGONE_LOG_LEVEL=info",
	), nil
}

// warmUp waits until the engine works: every worker has called, and every process
// has been up for a moment.
func (w *world) warmUp(ctx context.Context) error {
	for {
		called := make(map[string]bool)
		for _, c := range w.provider.calls() {
			called[c.Remote] = true
		}
		if len(called) >= w.Workers {
			break
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("only %d of %d workers called the provider: %w", len(called), w.Workers, context.Cause(ctx))
		}
	}
	w.samples.begin(ctx, w)
	return nil
}

// stopEngine asks the roles to stop, all at once, and notes those that do not do so.
func (w *world) stopEngine() {
	var (
		stopping conc.WaitGroup
		mu       sync.Mutex
	)
	for _, p := range w.processes {
		stopping.Go(func() {
			if err := p.Stop(grace + 10*time.Second); err != nil {
				mu.Lock()
				defer mu.Unlock()
				w.stopErrors = append(w.stopErrors, err)
			}
		})
	}
	stopping.Wait()
}

// close ends everything that is left.
func (w *world) close() error {
	for _, p := range slices.Concat(w.processes, w.nodes) {
		p.Kill()
		p.Wait()
	}
	if w.nats != nil {
		w.nats.Close()
	}
	w.watchers.Wait()
	if w.provider != nil {
		w.provider.close()
	}
	w.links.Close()
	if w.sql != nil {
		w.sql.Close()
	}
	if w.db != nil {
		w.db.Close()
	}
	err := w.databases.stop()
	w.network.Close()
	return err
}
