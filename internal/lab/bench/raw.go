package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sourcegraph/conc/pool"
)

// The ceiling: the least that any program must do that keeps the counts of tweets in
// these tables. It writes batches on a few connections, each in one round trip, and
// decides nothing. It shares no code with the engine.
const (
	rawBatch = 300 // tweets
	rawConns = 4
	rawCall  = 50 // tweet ids

	rawTweets = `
		update public.twitter_tweets w set
			retweet_count = u.c1, reply_count = u.c2, like_count = u.c3, quote_count = u.c4, view_count = u.c5, bookmark_count = u.c6,
			updated_at = $8
		from unnest($1::uuid[], $2::int4[], $3::int4[], $4::int4[], $5::int4[], $6::int4[], $7::int4[]) u (id, c1, c2, c3, c4, c5, c6)
		where w.id = u.id`

	rawHistory = `
		insert into public.twitter_engagement_history (id, tweet_id, snapshot_at, created_at, provider, engagement_velocity,
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views)
		select u.id, u.tweet, $1, $1, 'twitterapi.io', u.velocity::numeric, u.c1, u.c2, u.c3, u.c4, u.c5, u.c6, u.d1, u.d2, u.d3, u.d4, u.d5
		from unnest($2::uuid[], $3::uuid[], $4::float8[], $5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[],
			$11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[])
			u (id, tweet, velocity, c1, c2, c3, c4, c5, c6, d1, d2, d3, d4, d5)`

	rawTracking = `
		update public.twitter_engagement_tracking k set
			last_updated_at = $1, next_update_at = $2, update_count = k.update_count + 1, snapshot_at = $1, snapshot_velocity = u.velocity,
			snapshot_retweets = u.c1, snapshot_replies = u.c2, snapshot_likes = u.c3,
			snapshot_quotes = u.c4, snapshot_views = u.c5, snapshot_bookmarks = u.c6
		from unnest($3::uuid[], $4::float8[], $5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[])
			u (id, velocity, c1, c2, c3, c4, c5, c6)
		where k.tweet_db_id = u.id`

	rawIdle = `
		update public.twitter_engagement_tracking set last_updated_at = $1, next_update_at = $2, update_count = update_count + 1
		where tweet_db_id = any($3::uuid[])`
)

// rawRows are the columns of a batch.
type rawRows struct {
	ids      []uuid.UUID // of history
	rows     []uuid.UUID
	idle     []uuid.UUID // of which nothing new is known
	velocity []float64
	counts   [6][]int32
	deltas   [5][]int32
}

func (r *rawRows) add(row uuid.UUID, counts [6]int32) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	r.ids, r.rows, r.velocity = append(r.ids, id), append(r.rows, row), append(r.velocity, float64(counts[2]))
	for i, n := range counts {
		r.counts[i] = append(r.counts[i], n)
		if i < len(r.deltas) {
			r.deltas[i] = append(r.deltas[i], n/2)
		}
	}
	return nil
}

// write writes a batch in one round trip, as one transaction.
func (r *rawRows) write(ctx context.Context, db *pgxpool.Pool, now time.Time) error {
	var b pgx.Batch
	c, d, next := &r.counts, &r.deltas, now.Add(900*time.Hour)
	if len(r.rows) > 0 {
		b.Queue(rawTweets, r.rows, c[0], c[1], c[2], c[3], c[4], c[5], now)
		b.Queue(rawHistory, now, r.ids, r.rows, r.velocity, c[0], c[1], c[2], c[3], c[4], c[5], d[0], d[1], d[2], d[3], d[4])
		b.Queue(rawTracking, now, next, r.rows, r.velocity, c[0], c[1], c[2], c[3], c[4], c[5])
	}
	if len(r.idle) > 0 {
		b.Queue(rawIdle, now, next, r.idle)
	}
	return db.SendBatch(ctx, &b).Close()
}

// rawTurn writes made-up counts.
func (b *bench) rawTurn(ctx context.Context, _ *results) (turn, error) {
	return b.raw(ctx, rawConns, func(_ context.Context, first, end int) (rawRows, error) {
		var r rawRows
		made := int32(b.db.Clock.Now().Unix() % 1000) // #nosec G115 -- below a thousand
		for i := first; i < end; i++ {
			if b.idle(i) {
				r.idle = append(r.idle, b.rows[i])
				continue
			}
			if err := r.add(b.rows[i], [6]int32{made + 1, made + 2, made + 3, made + 4, made + 5, made + 6}); err != nil {
				return r, err
			}
		}
		return r, nil
	})
}

// rawHTTPTurn writes what it has looked up before, with as many calls at once as the
// rate and the provider's latency ask for.
func (b *bench) rawHTTPTurn(ctx context.Context, _ *results) (turn, error) {
	ahead := rawConns + int(b.Rate*b.Latency.Seconds()*rawCall/rawBatch)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: ahead * rawBatch / rawCall}}
	defer client.CloseIdleConnections()
	return b.raw(ctx, ahead, func(ctx context.Context, first, end int) (rawRows, error) {
		calls := pool.NewWithResults[[]rawTweet]().WithContext(ctx).WithFirstError()
		for at := first; at < end; at += rawCall {
			ids := b.ids[at:min(at+rawCall, end)]
			calls.Go(func(ctx context.Context) ([]rawTweet, error) {
				return lookUp(ctx, client, b.cfg.Provider.URL, string(b.cfg.Provider.Key), ids)
			})
		}
		answers, err := calls.Wait()
		if err != nil {
			return rawRows{}, err
		}
		found := make(map[string]rawTweet, end-first)
		for _, a := range answers {
			for _, t := range a {
				found[t.ID] = t
			}
		}
		var r rawRows
		for i := first; i < end; i++ {
			t, ok := found[b.ids[i]]
			switch {
			case !ok:
				return r, fmt.Errorf("the provider left tweet %s out", b.ids[i])
			case b.idle(i):
				r.idle = append(r.idle, b.rows[i])
			default:
				if err := r.add(b.rows[i], [6]int32{t.Retweets, t.Replies, t.Likes, t.Quotes, t.Views, t.Bookmarks}); err != nil {
					return r, err
				}
			}
		}
		return r, nil
	})
}

// rawTweet is what is wanted of a tweet in an answer.
type rawTweet struct {
	ID        string `json:"id"`
	Retweets  int32  `json:"retweetCount"`
	Replies   int32  `json:"replyCount"`
	Likes     int32  `json:"likeCount"`
	Quotes    int32  `json:"quoteCount"`
	Views     int32  `json:"viewCount"`
	Bookmarks int32  `json:"bookmarkCount"`
}

func lookUp(ctx context.Context, client *http.Client, base, key string, ids []string) ([]rawTweet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/twitter/tweets?tweet_ids="+strings.Join(ids, ","), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Api-Key", key)
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("look up tweets: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Tweets []rawTweet `json:"tweets"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the answer to a look-up: %w", err)
	}
	return answer.Tweets, nil
}

// raw runs a turn of the bare statements. rows makes the batches, so many at once.
func (b *bench) raw(ctx context.Context, ahead int, rows func(ctx context.Context, first, end int) (rawRows, error)) (turn, error) {
	if err := b.ready(ctx); err != nil {
		return turn{}, err
	}
	var w wire
	cfg, err := pgxpool.ParseConfig(string(b.cfg.Database.URL))
	if err != nil {
		return turn{}, fmt.Errorf("read the database url: %w", err)
	}
	cfg.MaxConns = rawConns
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &countingConn{Conn: conn, wire: &w}, err
	}
	db, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return turn{}, fmt.Errorf("connect to the database: %w", err)
	}
	defer db.Close()
	client := []meter{{"client", func() time.Duration { return usageOf(os.Getpid()).own }, &w}}
	return b.measured(ctx, client, func() (time.Duration, error) {
		began := time.Now()
		p := pool.New().WithMaxGoroutines(ahead).WithContext(ctx).WithFirstError().WithCancelOnError()
		for n := range (b.Tweets + rawBatch - 1) / rawBatch {
			p.Go(func(ctx context.Context) error {
				r, err := rows(ctx, n*rawBatch, min((n+1)*rawBatch, b.Tweets))
				if err != nil {
					return err
				}
				return r.write(ctx, db, b.db.Clock.Now())
			})
		}
		err := p.Wait()
		return time.Since(began), err
	})
}
