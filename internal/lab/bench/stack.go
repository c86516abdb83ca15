package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gorgone/internal/config"
	"gorgone/internal/devstack"
	"gorgone/internal/lab/enginetime"
	"gorgone/internal/lab/proc"
	"gorgone/store"
	"gorgone/store/postgres"
)

// prepare starts all that is not measured, and tracks the tweets.
func (b *bench) prepare(ctx context.Context) (err error) {
	b.cfg.Database.URL, b.cfg.Queue.URL = "", ""
	if err := b.startNATS(ctx); err != nil {
		return err
	}
	if b.servers, err = devstack.StartServers(ctx, &b.cfg, b.dir, b.Log); err != nil {
		return err
	}
	if _, err := postgres.Migrate(ctx, string(b.cfg.Database.URL)); err != nil {
		return err
	}
	if err := b.startProvider(ctx); err != nil {
		return err
	}
	if err := b.speedUp(ctx); err != nil {
		return err
	}
	if b.db, err = b.process.OpenDatabase(ctx, b.cfg); err != nil {
		return err
	}
	if b.queue, err = b.process.OpenQueue(ctx, b.cfg.Queue, b.servers.Queue); err != nil {
		return err
	}
	if err := b.openSQL(ctx); err != nil {
		return err
	}
	return b.track(ctx)
}

// close ends what prepare has started.
func (b *bench) close() (err error) {
	if b.provider != nil {
		err = b.provider.stop()
	}
	if b.printed != nil {
		_ = b.printed.Close()
	}
	if b.queue != nil {
		b.queue.Close()
	}
	if b.nats != nil {
		err = errors.Join(err, b.nats.stop())
	}
	if b.sql != nil {
		b.sql.Close()
	}
	if b.db != nil {
		b.db.Close()
	}
	if b.servers != nil {
		b.servers.Close()
	}
	b.wait.Wait()
	return err
}

// startNATS starts NATS in a process of its own, so that what it uses can be told.
func (b *bench) startNATS(ctx context.Context) error {
	address, err := proc.FreeAddress(ctx)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	b.nats, err = b.start(ctx, b.fail, nil, nil, "nats", "--store", filepath.Join(b.dir, "nats"), "--port", port)
	if err != nil {
		return err
	}
	b.cfg.Queue.URL = config.Secret("nats://" + address)
	return retry(ctx, func() error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// speedUp makes engine time run fast.
func (b *bench) speedUp(ctx context.Context) error {
	// The first look-up of a day is recorded whatever it finds: the run begins with a day.
	const day = 24 * time.Hour
	return enginetime.Begin(ctx, string(b.cfg.Database.URL), "gorgone-lab bench", speed, func(now time.Time) time.Time { return now.Truncate(day).Add(day) })
}

// openSQL opens the bench's own connection, and keeps the server from doing in a turn
// what does not follow from the turn.
func (b *bench) openSQL(ctx context.Context) (err error) {
	if b.sql, err = pgxpool.New(ctx, string(b.cfg.Database.URL)); err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	if err := b.tune(ctx, true); err != nil {
		return err
	}
	var backend int
	if err := b.sql.QueryRow(ctx, `select pg_backend_pid()`).Scan(&backend); err != nil {
		return fmt.Errorf("find the server's process: %w", err)
	}
	b.postmaster = usageOf(backend).parent
	return nil
}

// tune switches autovacuum and timed checkpoints off, or back to how they were. Each turn
// begins with a vacuum and a checkpoint instead.
func (b *bench) tune(ctx context.Context, quiet bool) error {
	statements := []string{`alter system reset all`, `select pg_reload_conf()`}
	if quiet {
		statements = []string{`alter system set autovacuum = off`, `alter system set checkpoint_timeout = '1h'`, `select pg_reload_conf()`}
	}
	for _, sql := range statements {
		if _, err := b.sql.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set up the server: %w", err)
		}
	}
	return nil
}

// track tracks all tweets of the provider, those that are due in a turn in a zone of
// their own.
func (b *bench) track(ctx context.Context) error {
	tweets, err := b.tweets(ctx)
	if err != nil {
		return err
	}
	zone, err := b.db.Store.CreateZone(ctx, store.Zone{Name: "turns"})
	if err != nil {
		return err
	}
	rest, err := b.db.Store.CreateZone(ctx, store.Zone{Name: "backlog"})
	if err != nil {
		return err
	}
	b.zone = zone.ID
	row := make(map[string]uuid.UUID, b.Tweets)
	for _, group := range []struct {
		zone   uuid.UUID
		tweets []store.NewTweet
	}{{zone.ID, tweets[:b.Tweets]}, {rest.ID, tweets[b.Tweets:]}} {
		for some := range slices.Chunk(group.tweets, 10_000) {
			tracked, err := b.db.Store.Track(ctx, group.zone, some)
			if err != nil {
				return err
			}
			for _, t := range tracked {
				row[t.TweetID] = t.Row
			}
		}
	}
	for _, t := range tweets {
		b.ids = append(b.ids, t.TweetID)
	}
	for _, id := range b.ids[:b.Tweets] {
		b.rows = append(b.rows, row[id])
	}
	return b.due(ctx, false, rest.ID)
}

// tweets asks the provider for all its tweets.
func (b *bench) tweets(ctx context.Context) (tweets []store.NewTweet, err error) {
	body, err := get(ctx, b.cfg.Provider.URL+"/_double/tweets")
	if err != nil {
		return nil, fmt.Errorf("read the provider's tweets: %w", err)
	}
	defer body.Close()
	lines := json.NewDecoder(body)
	for {
		var t struct {
			ID        string    `json:"id"`
			CreatedAt time.Time `json:"created_at"`
		}
		switch err := lines.Decode(&t); {
		case errors.Is(err, io.EOF):
			return tweets, nil
		case err != nil:
			return nil, fmt.Errorf("read the provider's tweets: %w", err)
		}
		tweets = append(tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: "A tweet of which nothing but its counters matters here."})
	}
}

// due makes the tweets of zones fall due now, or after the run.
func (b *bench) due(ctx context.Context, now bool, zones ...uuid.UUID) error {
	at := b.db.Clock.Now()
	if !now {
		at = at.Add(100_000 * time.Hour)
	}
	_, err := b.sql.Exec(ctx, `
		update public.twitter_engagement_tracking k set next_update_at = $2, retry_at = null, claim_id = null, claimed_until = null
		from public.twitter_tweets w where w.id = k.tweet_db_id and w.zone_id = any($1)`, zones, at)
	if err != nil {
		return fmt.Errorf("make tweets fall due: %w", err)
	}
	return nil
}

// ready makes every turn begin alike: the tweets due, nothing claimed or measured by the
// engine before, no dead rows, and a checkpoint just over.
func (b *bench) ready(ctx context.Context) error {
	if err := b.due(ctx, true, b.zone); err != nil {
		return err
	}
	for _, sql := range []string{
		`truncate gorgone.batches`,
		`vacuum analyze public.twitter_engagement_tracking`,
		`vacuum analyze public.twitter_tweets`,
		`checkpoint`,
	} {
		if _, err := b.sql.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// viaHost returns the database URL with another address in it.
func viaHost(databaseURL, host string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", fmt.Errorf("read the private database's url: %w", err)
	}
	u.Host = host
	return u.String(), nil
}

// hostOf returns the address in the database URL.
func hostOf(databaseURL string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", fmt.Errorf("read the private database's url: %w", err)
	}
	return u.Host, nil
}
