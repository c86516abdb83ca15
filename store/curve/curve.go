// Package curve reads points of the history by time.
//
// A statement on a history in partitions locks every partition that its plan may read, with
// its indexes, and Postgres has room for a few thousand locks. So whoever reads the history
// says from when until when, in statements that are planned for just that time; and what
// may have happened at any time is sought span by span.
package curve

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// spanPartitions is how many partitions one statement reads, a day's or a month's each.
const spanPartitions = 60

// day is the length of the shortest partition.
const day = 24 * time.Hour

// Reader runs a statement that is planned for its arguments, and gives the locks of the
// partitions back after it. [postgres.DB] and [postgres.Tx] are such.
type Reader interface {
	ReadPlanned(ctx context.Context, read func(pgx.Rows) error, sql string, args ...any) error
}

// Span is the time from From until To, which is not in it.
type Span struct{ From, To time.Time }

// Always is all time.
func Always() Span {
	return Span{time.Unix(0, 0).UTC(), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
}

// Within returns the part of s from a time until another; the zero time is no limit.
func (s Span) Within(from, to time.Time) Span {
	if from.After(s.From) {
		s.From = from.UTC()
	}
	if !to.IsZero() && to.Before(s.To) {
		s.To = to.UTC()
	}
	return s
}

// Spans returns a span in parts that one statement can read, the oldest first: none when
// nothing is in it.
func Spans(ctx context.Context, r Reader, whole Span) ([]Span, error) {
	const sql = `select first from (` + postgres.HistoryPartitions + `) p
		where past > $1::timestamptz and first < $2::timestamptz order by first`
	if !whole.From.Before(whole.To) {
		return nil, nil
	}
	if whole.To.Sub(whole.From) < spanPartitions*day {
		return []Span{whole}, nil
	}
	var first []time.Time
	if err := r.ReadPlanned(ctx, postgres.Collect(&first, pgx.RowTo[time.Time]), sql, whole.From, whole.To); err != nil {
		return nil, fmt.Errorf("list the partitions of history: %w", err)
	}
	// What is older than all partitions, or newer, is in the default one: it is read with
	// the first part, or the last.
	var parts []Span
	for i := spanPartitions; i < len(first); i += spanPartitions {
		parts = append(parts, Span{whole.From, first[i].UTC()})
		whole.From = first[i].UTC()
	}
	return append(parts, whole), nil
}

// Life is a row, and the time in which its points are sought.
type Life struct {
	Row uuid.UUID
	Span
}

// LifeOf is the time in which a row has points: from when its tweet was posted, by whatever
// clock, to its last snapshot, which is not known (zero) of a row that was never answered.
func LifeOf(row uuid.UUID, posted, snapshot time.Time) Life {
	if !snapshot.IsZero() {
		snapshot = snapshot.Add(time.Microsecond)
	}
	return Life{row, Always().Within(posted.Add(-day), snapshot)}
}

// Point is a point of a row's curve.
type Point struct {
	At       time.Time
	Total    int64    // engagement
	Velocity *float64 // nil: has none
	Metrics  engagement.Metrics
}

// Last returns the last points of rows, of each as many as n, the newest first. Rows
// without any are not in the result.
func Last(ctx context.Context, r Reader, lives []Life, n int) (map[uuid.UUID][]Point, error) {
	return last(ctx, r, lives, n, "")
}

// LastMoving returns the last point of each row that has a velocity.
func LastMoving(ctx context.Context, r Reader, lives []Life) (map[uuid.UUID][]Point, error) {
	return last(ctx, r, lives, 1, ` and h.velocity is not null`)
}

func last(ctx context.Context, r Reader, lives []Life, n int, only string) (map[uuid.UUID][]Point, error) {
	sql := `
		select u.id, p.snapshot_at, coalesce(p.total, 0)::int8, p.velocity,
			p.retweet_count, p.reply_count, p.like_count, p.quote_count, p.view_count, p.bookmark_count
		from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) u (id, low, high)
		cross join lateral (
			select h.* from ` + postgres.Curve + ` h
			where h.tweet_id = u.id and h.snapshot_at >= u.low and h.snapshot_at < u.high
			and h.snapshot_at >= $4::timestamptz and h.snapshot_at < $5::timestamptz` + only + `
			order by h.snapshot_at desc limit $6::int4
		) p
		order by u.id, p.snapshot_at desc`
	found := make(map[uuid.UUID][]Point, len(lives))
	spans, err := Spans(ctx, r, around(lives))
	if err != nil || n <= 0 {
		return found, err
	}
	for _, s := range slices.Backward(spans) {
		var (
			ids       []uuid.UUID
			low, high []time.Time
		)
		for _, l := range lives {
			if len(found[l.Row]) < n && l.From.Before(s.To) && s.From.Before(l.To) {
				ids, low, high = append(ids, l.Row), append(low, l.From), append(high, l.To)
			}
		}
		if len(ids) == 0 {
			continue
		}
		var got []rowPoint
		if err := r.ReadPlanned(ctx, postgres.Collect(&got, scanPoint), sql, ids, low, high, s.From, s.To, n); err != nil {
			return nil, fmt.Errorf("read the last points: %w", err)
		}
		for _, p := range got {
			if len(found[p.row]) < n {
				found[p.row] = append(found[p.row], p.Point)
			}
		}
	}
	return found, nil
}

// around returns the span in which all lives are.
func around(lives []Life) (s Span) {
	for i, l := range lives {
		if i == 0 || l.From.Before(s.From) {
			s.From = l.From
		}
		if l.To.After(s.To) {
			s.To = l.To
		}
	}
	return s
}

type rowPoint struct {
	row uuid.UUID
	Point
}

func scanPoint(r pgx.CollectableRow) (rowPoint, error) {
	var (
		p rowPoint
		c postgres.Counts
	)
	err := r.Scan(append([]any{&p.row, &p.At, &p.Total, &p.Velocity}, c.Dest()...)...)
	p.At, p.Metrics = p.At.UTC(), c.Metrics()
	return p, err
}
