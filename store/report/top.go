package report

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/curve"
	"gorgone/store/postgres"
)

// TopBy is what a list of top tweets is ordered by.
type TopBy string

// The orders.
const (
	ByVelocity   TopBy = "velocity"   // engagements an hour at the last snapshot
	ByEngagement TopBy = "engagement" // retweets + replies + likes + quotes
)

// TopQuery selects the tweets that move most.
type TopQuery struct {
	Zones  []uuid.UUID // nil: all active ones
	Since  time.Time   // tweets posted from then on
	By     TopBy
	Offset int
	Limit  int
}

// TopTweet is a line of the list.
type TopTweet struct {
	Row        uuid.UUID
	TweetID    string
	ZoneID     uuid.UUID
	Text       string
	CreatedAt  time.Time
	Tier       engagement.Tier
	GoneReason string // why the tweet counts as deleted; empty: it does not
	Metrics    engagement.Metrics
	Velocity   *float64  // of the last snapshot that has one; nil: none has
	VelocityAt time.Time // when that was taken
}

// topCandidates are the rows of which the top is taken.
const topCandidates = `
	public.twitter_tweets w
	join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
	join public.zones z on z.id = w.zone_id and ` + postgres.ActiveZone + `
	where w.twitter_created_at >= $2::timestamptz and w.zone_id = any(coalesce($1::uuid[], array(select id from public.zones)))`

// manyTop is how many candidates are no longer counted one by one in a large table.
const manyTop = 20_000

// sampleTop estimates the number of candidates.
const sampleTop = `
	select (count(*) * 100 / $3::float8)::int4 from public.twitter_tweets w tablesample system ($3::float8)
	` + topMatching

// CountTop returns how many tweets there are on all pages of a query; of a large table about
// so many, by a part of it, unless they are few.
func (r *Reader) CountTop(ctx context.Context, q TopQuery) (n int, err error) {
	done, err := r.turn(ctx)
	if err != nil {
		return 0, fmt.Errorf("count top tweets: %w", err)
	}
	defer done()
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	rows, many, err := r.large(ctx)
	if err == nil && many {
		err = r.db.QueryRow(ctx, sampleTop, q.Zones, q.Since, min(100, 100*sampleRows/float64(rows))).Scan(&n)
	}
	if err == nil && n < manyTop {
		err = r.db.QueryRow(ctx, `select count(*) from `+topCandidates, q.Zones, q.Since).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("count top tweets: %w", err)
	}
	return n, nil
}

// Top returns the tracked tweets that come first, the first of them first. It
// looks at every tweet posted since then in the zones, by index, and at the history
// of those that are listed; in a table of more than 50,000 rows at the first of the order
// instead, unless too few of these match.
func (r *Reader) Top(ctx context.Context, q TopQuery) ([]TopTweet, error) {
	const sql = `
		select w.id, w.tweet_id, w.zone_id, w.text, w.twitter_created_at, k.tier, coalesce(k.gone_reason, ''), k.snapshot_at,
			coalesce(w.total_engagement, 0)::int8,
			w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count
		from unnest($1::uuid[]) with ordinality p (id, place)
		join public.twitter_tweets w on w.id = p.id
		join public.twitter_engagement_tracking k on k.tweet_db_id = p.id
		order by p.place`
	done, err := r.turn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read top tweets: %w", err)
	}
	defer done()
	bounded, cancel := r.db.Bounded(ctx)
	defer cancel()
	page, err := r.topRows(bounded, q)
	if err != nil {
		return nil, fmt.Errorf("read top tweets: %w", err)
	}
	rows, err := r.db.Query(bounded, sql, page)
	if err != nil {
		return nil, fmt.Errorf("read top tweets: %w", err)
	}
	lines, err := pgx.CollectRows(rows, scanTop)
	if err != nil {
		return nil, fmt.Errorf("read top tweets: %w", err)
	}
	lives := make([]curve.Life, len(lines))
	for i, t := range lines {
		lives[i] = curve.LifeOf(t.Row, t.CreatedAt, t.snapshot)
		lives[i].Span = lives[i].Within(q.Since, time.Time{})
	}
	points, err := curve.LastMoving(ctx, r.db, lives)
	if err != nil {
		return nil, fmt.Errorf("read top tweets: %w", err)
	}
	for i := range lines {
		if p := points[lines[i].Row]; len(p) > 0 {
			lines[i].Velocity, lines[i].VelocityAt = p[0].Velocity, p[0].At
		}
	}
	if q.By == ByVelocity {
		slices.SortStableFunc(lines, topLine.compare)
	}
	top := make([]TopTweet, len(lines))
	for i, t := range lines {
		top[i] = t.TopTweet
	}
	return top, nil
}

// topRows returns the rows of a page: of a large table by index where that can be, otherwise
// of all candidates.
func (r *Reader) topRows(ctx context.Context, q TopQuery) ([]uuid.UUID, error) {
	// What is listed is chosen by the velocity that the tracking row keeps.
	var order string
	switch q.By {
	case ByVelocity:
		order = `k.snapshot_velocity desc nulls last, w.total_engagement desc, w.id`
	case ByEngagement:
		order = `w.total_engagement desc, w.id`
	default:
		return nil, fmt.Errorf("top tweets by %.40q: want %s or %s", q.By, ByVelocity, ByEngagement)
	}
	_, many, err := r.large(ctx)
	if err != nil {
		return nil, err
	}
	if many && q.Limit > 0 && q.Offset >= 0 && q.Offset+q.Limit <= r.walkRows {
		if page, err := r.walkTop(ctx, q); err != nil || len(page) == q.Limit {
			return page, err
		}
	}
	return r.ids(ctx, `select w.id from `+topCandidates+` order by `+order+` limit $3::int4 offset $4::int4`, q.Zones, q.Since, q.Limit, q.Offset)
}

// topLine is a line as it is read first.
type topLine struct {
	TopTweet

	total    int64
	snapshot time.Time // of the last one; zero: there is none
}

// compare puts the faster first, then the one with more engagement, and those of which no
// velocity is known last.
func (t topLine) compare(o topLine) int {
	speed := func(t topLine) float64 {
		if t.Velocity == nil {
			return math.Inf(-1)
		}
		return *t.Velocity
	}
	return cmp.Or(cmp.Compare(speed(o), speed(t)), cmp.Compare(o.total, t.total), bytes.Compare(t.Row[:], o.Row[:]))
}

func scanTop(r pgx.CollectableRow) (topLine, error) {
	var (
		t  topLine
		c  postgres.Counts
		at *time.Time
	)
	dest := append([]any{&t.Row, &t.TweetID, &t.ZoneID, &t.Text, &t.CreatedAt, (*string)(&t.Tier), &t.GoneReason, &at, &t.total}, c.Dest()...)
	err := r.Scan(dest...)
	t.CreatedAt, t.snapshot, t.Metrics = t.CreatedAt.UTC(), postgres.TimeOf(at), c.Metrics()
	return t, err
}
