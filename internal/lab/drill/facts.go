package drill

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/lab/drill/supervise"
	"gorgone/internal/lab/lookups"
	"gorgone/twitter/fakeprovider"
)

// counts are the six counters of a tweet: retweets, replies, likes, quotes, views,
// bookmarks.
type counts [6]int64

// Places in counts.
const (
	likeCount = 2
	viewCount = 4
)

// row is a tracked tweet as it stands at the end.
type row struct {
	id       uuid.UUID
	tweet    string
	tier     string
	observed time.Time // engine time, like all times of rows
	due      time.Time // zero: never
	retryAt  time.Time
	attempts int
	claimed  time.Time // until when
	gone     string
	goneAt   time.Time
	counts   counts
	history  []snapshot // in order of time; the first is the baseline
	lookups  []snapshot // all that made a snapshot, in the history or not; no deltas
}

// snapshot is a point of a row's history.
type snapshot struct {
	at      time.Time
	counts  counts
	unknown [6]bool // counts that no answer had yet, which are 0 here
	deltas  [5]int64
}

// request is a refresh as the database has it.
type request struct {
	row      uuid.UUID
	deadline time.Time
	closed   bool
	outcome  string
}

// facts are what is known after a run. The checks read nothing else.
type facts struct {
	Options

	setting               clock.Setting
	from, to, settled     time.Time // of the faults, real time
	caughtUp              time.Time // when their backlog was worked off; zero: never
	rows                  []*row
	requests              []request
	ledger                float64 // tweets that the engine says it was billed for
	batchesLeft           int     // messages in the streams
	refreshesLeft         int
	dead                  []string
	calls                 []fakeprovider.Record // by the time of their start
	truth                 func(tweet string, at time.Time) (counts, bool)
	events                []event
	absences              map[string][]absence
	revived               []string // tweets that were known gone, and came back
	refreshes             []*refresh
	pauses                []written
	lives                 map[string][]supervise.Life
	resources             *samples
	stopErrors            []error
	panics                []string
	databaseConns, queued int // connections of the engine after its stop, to Postgres and NATS

	points   []int          // of all histories together, counted now and then
	budgets  []budgetWindow // in which look-ups had a budget
	breakers []string       // circuit breakers that were not closed in the end

	matched   *observations         // see there
	byTweet   map[string][]event    // see struck
	refreshed map[string][]*refresh // see refreshesOf
}

func (f *facts) engine(at time.Time) time.Time { return f.setting.At(at) }

func (f *facts) real(engine time.Time) time.Time {
	return f.setting.Database.Add(time.Duration(float64(engine.Sub(f.setting.Engine)) / f.setting.Speed))
}

// facts reads what is left of the run.
func (w *world) facts(ctx context.Context) (*facts, error) {
	f := &facts{
		Options: w.Options, setting: w.setting, from: w.faultsFrom, to: w.faultsTo, settled: w.settledAt, caughtUp: w.caughtUpAt,
		calls: w.provider.calls(), events: w.events.all(), absences: w.provider.absences(), revived: w.revived,
		refreshes: w.refresher.all(), pauses: w.pauses.all(), resources: &w.samples, stopErrors: w.stopErrors,
		lives: make(map[string][]supervise.Life), points: w.points.all(), budgets: w.budgets, breakers: w.openBreakers,
	}
	slices.SortFunc(f.calls, func(a, b fakeprovider.Record) int { return a.Started.Compare(b.Started) })
	for _, p := range w.processes {
		f.lives[p.Name] = p.Lives()
		found, err := panicsIn(p.LogFile())
		if err != nil {
			return nil, err
		}
		f.panics = append(f.panics, found...)
	}
	f.truth = func(tweet string, at time.Time) (c counts, ok bool) {
		m, ok := w.provider.population.MetricsAt(tweet, at)
		if !ok {
			return c, false
		}
		return countsOf(m), true
	}
	for _, read := range []func(context.Context, *facts) error{w.readRows, w.readHistory, w.readLookups, w.readRequests, w.readLedger, w.readStreams, w.readConnections} {
		if err := read(ctx, f); err != nil {
			return nil, fmt.Errorf("read the facts: %w", err)
		}
	}
	return f, nil
}

func (w *world) readRows(ctx context.Context, f *facts) error {
	const sql = `
		select k.tweet_db_id, w.tweet_id, k.tier, k.last_updated_at, k.next_update_at, k.retry_at, k.attempts, k.claimed_until,
			coalesce(k.gone_reason, ''), k.last_missed_at, coalesce(w.retweet_count, 0), coalesce(w.reply_count, 0), coalesce(w.like_count, 0),
			coalesce(w.quote_count, 0), coalesce(w.view_count, 0), coalesce(w.bookmark_count, 0)
		from public.twitter_engagement_tracking k join public.twitter_tweets w on w.id = k.tweet_db_id
		order by k.tweet_db_id`
	rows, err := w.sql.Query(ctx, sql)
	if err != nil {
		return err
	}
	f.rows, err = pgx.CollectRows(rows, func(in pgx.CollectableRow) (*row, error) {
		r := &row{}
		var observed, due, retry, claimed, missed *time.Time
		err := in.Scan(&r.id, &r.tweet, &r.tier, &observed, &due, &retry, &r.attempts, &claimed, &r.gone, &missed,
			&r.counts[0], &r.counts[1], &r.counts[2], &r.counts[3], &r.counts[4], &r.counts[5])
		r.observed, r.due, r.retryAt, r.claimed = timeOf(observed), timeOf(due), timeOf(retry), timeOf(claimed)
		if r.gone != "" {
			r.goneAt = timeOf(missed)
		}
		return r, err
	})
	return err
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func (w *world) readHistory(ctx context.Context, f *facts) error {
	const sql = `
		select tweet_id, snapshot_at, retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			coalesce(delta_retweets, 0), coalesce(delta_replies, 0), coalesce(delta_likes, 0), coalesce(delta_quotes, 0),
			coalesce(delta_views, 0)
		from public.twitter_engagement_history order by tweet_id, snapshot_at, id`
	byID := make(map[uuid.UUID]*row, len(f.rows))
	for _, r := range f.rows {
		byID[r.id] = r
	}
	rows, err := w.sql.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id    uuid.UUID
			s     snapshot
			known [len(s.counts)]*int64
		)
		if err := rows.Scan(&id, &s.at, &known[0], &known[1], &known[2], &known[3], &known[4], &known[5],
			&s.deltas[0], &s.deltas[1], &s.deltas[2], &s.deltas[3], &s.deltas[4]); err != nil {
			return err
		}
		s.at = s.at.UTC()
		for i, n := range known {
			if s.unknown[i] = n == nil; n != nil {
				s.counts[i] = *n
			}
		}
		r := byID[id]
		if r == nil {
			return fmt.Errorf("history of a row %s that is not tracked", id)
		}
		r.history = append(r.history, s)
	}
	return rows.Err()
}

func (w *world) readLookups(ctx context.Context, f *facts) error {
	all, err := lookups.Read(ctx, w.db)
	if err != nil {
		return err
	}
	for _, r := range f.rows {
		for _, s := range all[r.id] {
			r.lookups = append(r.lookups, snapshot{at: s.At, counts: countsOf(s.Metrics)})
		}
	}
	return nil
}

func countsOf(m engagement.Metrics) counts {
	return counts{m.Retweets.Value(), m.Replies.Value(), m.Likes.Value(), m.Quotes.Value(), m.Views.Value(), m.Bookmarks.Value()}
}

func (w *world) readRequests(ctx context.Context, f *facts) error {
	rows, err := w.sql.Query(ctx, `select row_id, deadline, closed_at is not null, coalesce(outcome, '') from gorgone.refresh_requests`)
	if err != nil {
		return err
	}
	f.requests, err = pgx.CollectRows(rows, func(in pgx.CollectableRow) (r request, err error) {
		return r, in.Scan(&r.row, &r.deadline, &r.closed, &r.outcome)
	})
	return err
}

func (w *world) readLedger(ctx context.Context, f *facts) error {
	const sql = `
		select coalesce(sum(tweets), 0) from (select tweets from gorgone.ledger union all select tweets from gorgone.spending) l`
	return w.sql.QueryRow(ctx, sql).Scan(&f.ledger)
}

func (w *world) readStreams(ctx context.Context, f *facts) error {
	js, err := jetstream.New(w.nats)
	if err != nil {
		return err
	}
	messages := func(name string) (jetstream.Stream, int, error) {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return nil, 0, fmt.Errorf("read stream %s: %w", name, err)
		}
		return stream, int(stream.CachedInfo().State.Msgs), nil
	}
	if _, f.batchesLeft, err = messages("ENG_BATCH"); err != nil {
		return err
	}
	if _, f.refreshesLeft, err = messages("ENG_REFRESH"); err != nil {
		return err
	}
	dead, n, err := messages("ENG_DLQ")
	if err != nil || n == 0 {
		return err
	}
	first := dead.CachedInfo().State.FirstSeq
	for seq := first; seq < first+uint64(min(n, 20)); seq++ {
		m, err := dead.GetMsg(ctx, seq)
		if err != nil {
			return fmt.Errorf("read dead letter %d: %w", seq, err)
		}
		f.dead = append(f.dead, fmt.Sprintf("%s %v", m.Subject, m.Header))
	}
	return nil
}

func (w *world) readConnections(ctx context.Context, f *facts) (err error) {
	f.databaseConns, err = w.databaseConnections(ctx)
	if err != nil {
		return err
	}
	f.queued, err = w.natsConnections(ctx)
	return err
}
