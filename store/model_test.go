package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
)

// model is what a test believes of one tweet's row: what the fence must let
// through, and the points that this makes.
type model struct {
	row      uuid.UUID
	claim    uuid.UUID // zero: none
	until    time.Time // end of its lease
	idle     bool      // the zone is switched off
	observed time.Time
	points   []point
	likes    int64
	attempts int
	misses   int
	missed   time.Time // look of the last miss that counted
	gone     bool
}

type point struct {
	at    time.Time
	likes int64
}

func (m *model) observe(at time.Time, likes int64) {
	m.observed, m.likes, m.attempts = at, likes, 0
	m.misses, m.missed, m.gone = 0, time.Time{}, false
	if n := len(m.points); n > 0 && at.Sub(m.points[n-1].at) < engagement.MinSnapshotGap {
		return
	}
	m.points = append(m.points, point{at, likes})
}

// miss returns what a miss, seen by a look at the given time, leads to.
func (m *model) miss(at time.Time) engagement.RowOutcome {
	switch {
	case !at.After(m.observed):
		return engagement.RowStale
	case m.gone:
		return engagement.RowDeleted
	case m.missed.IsZero() || at.Sub(m.missed) >= m.wait():
		m.misses, m.missed = m.misses+1, at
	}
	m.attempts = 0
	// Misses 2 minutes apart, then 3 when they span 6: it takes 6 minutes, or 12 when the
	// tweet was never seen.
	if m.misses == 6 || m.misses == 4 && !m.observed.IsZero() {
		m.gone = true
		return engagement.RowDeleted
	}
	return engagement.RowMissing
}

// wait is how long after the last miss another counts.
func (m *model) wait() time.Duration {
	if m.misses >= 4 {
		return 3 * time.Minute
	}
	return 2 * time.Minute
}

// TestFenceModel runs random sequences of claims, answers on time, late and
// doubled, misses, failures, refreshes, forced rows, leases that end and zones that
// are switched off and on against the model: a row is claimed exactly when no one
// holds it and its zone is active, every answer is written exactly when it may be, the deltas always add up, and a tweet is
// gone after enough misses and back when it is seen.
func TestFenceModel(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	rapid.Check(t, func(rt *rapid.T) {
		// One database for all sequences: each has a tweet of its own.
		zone := e.newZone(t)
		id := engagement.TweetIDAt(epoch, int64(uuid.New().ID()))
		tracked := e.trackIn(t, zone, []store.NewTweet{{TweetID: id, CreatedAt: e.clock.Now()}})[0]
		run := sequence{env: e, zone: zone, tweetID: id, model: model{row: tracked.Row}}
		defer e.exec(t, `delete from zones where id = $1`, zone)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			run.step(rt)
			run.check(rt)
		}
	})
}

// sequence is a run of steps on one tweet.
type sequence struct {
	*env
	zone    uuid.UUID
	tweetID string
	model   model
	works   []store.Work // messages out there; any may be delivered, more than once
}

func (s *sequence) step(t *rapid.T) {
	s.clock.advance(time.Duration(rapid.IntRange(1, 150).Draw(t, "seconds")) * time.Second)
	likes := rapid.Int64Range(1, 1000).Draw(t, "likes")
	switch op := rapid.SampledFrom([]string{"claim", "claim", "apply", "apply", "apply", "miss", "miss", "unproven", "fail", "refresh", "release", "expire", "force", "zone", "twice"}).Draw(t, "step"); op {
	case "claim":
		s.claimDue(t, likes)
	case "refresh":
		s.refreshNow(t, likes)
	case "release":
		s.giveBack(t)
	case "expire":
		s.clock.advance(lease)
		s.claimDue(t, likes)
	case "force":
		s.force(t)
	case "zone":
		s.model.idle = !s.model.idle
		if _, err := s.raw.Exec(t.Context(), `update zones set is_active = $2 where id = $1`, s.zone, !s.model.idle); err != nil {
			t.Fatal(err)
		}
	case "twice":
		if len(s.works) > 0 {
			work := rapid.SampledFrom(s.works).Draw(t, "message")
			s.deliver(t, op, work)
			s.deliver(t, op, work)
		}
	default:
		if len(s.works) > 0 {
			s.deliver(t, op, rapid.SampledFrom(s.works).Draw(t, "message"))
		}
	}
}

// claimDue makes the tweet due, claims it, and looks it up at once; the answer
// is delivered by a later step, or never.
func (s *sequence) claimDue(t *rapid.T, n int64) {
	s.force(t)
	claimed, err := s.Claim(t.Context(), store.ClaimRequest{Tweets: 10, BatchTweets: 10, BatchRows: 10, Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	free := s.model.claim == uuid.Nil || !s.model.until.After(s.clock.Now())
	if got := len(claimed.Batches) > 0; got != (free && !s.model.idle) {
		t.Fatalf("a due row was claimed: %v; unclaimed: %v; its zone was off: %v", got, free, s.model.idle)
	}
	if len(claimed.Batches) == 0 {
		return
	}
	work := s.found(claimed.Batches[0], n)
	s.model.claim, s.model.until = work.ClaimID, s.clock.Now().Add(lease)
	s.works = append(s.works, work)
}

func (s *sequence) force(t *rapid.T) {
	if _, err := s.ForceDue(t.Context(), store.DueFilter{Zone: s.zone, IncludeCold: true}); err != nil {
		t.Fatal(err)
	}
}

func (s *sequence) deliver(t *rapid.T, op string, work store.Work) {
	work.Results = slices.Clone(work.Results)
	result := &work.Results[0]
	want := engagement.RowLostClaim
	switch held := s.model.claim == work.ClaimID; {
	case held && op == "miss":
		result.Kind, want = store.Missing, s.model.miss(result.Observation.At)
	case held && op == "unproven":
		result.Kind, want = store.Unproven, engagement.RowUnproven
		switch {
		case !result.Observation.At.After(s.model.observed):
			want = engagement.RowStale
		case s.model.gone:
			want = engagement.RowDeleted
		default:
			s.model.attempts++
		}
	case held && op == "fail":
		result.Kind, want = store.Unresolved, engagement.RowUnresolved
		s.model.attempts++
	case held && !result.Observation.At.After(s.model.observed):
		want = engagement.RowStale
	case held:
		want = engagement.RowApplied
		s.model.observe(result.Observation.At, result.Observation.Metrics.Likes.Value())
	}
	if want != engagement.RowLostClaim {
		s.model.claim = uuid.Nil
	}
	applied, err := s.Apply(t.Context(), work)
	if err != nil {
		t.Fatal(err)
	}
	if len(applied.Rows) != 1 || applied.Rows[0].Outcome != want {
		t.Fatalf("%s: outcome %+v, want %s", op, applied.Rows, want)
	}
}

func (s *sequence) refreshNow(t *rapid.T, n int64) {
	ago := time.Duration(rapid.IntRange(0, 120).Draw(t, "asked ago")) * time.Second
	asked := s.clock.Now().Add(-ago)
	kind := rapid.SampledFrom([]store.Kind{store.Found, store.Missing}).Draw(t, "kind")
	applied, err := s.ApplyRefresh(t.Context(), []store.RefreshResult{{
		TweetID: s.tweetID, RequestedAt: asked, Kind: kind,
		Observation: engagement.Observation{At: s.clock.Now(), Metrics: likes(n)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s.model.idle {
		if len(applied.Rows) != 0 {
			t.Fatalf("a refresh in a zone that is off: %+v", applied.Rows)
		}
		return
	}
	want := engagement.RowNewer
	switch {
	case !s.model.observed.IsZero() && !s.model.observed.Before(asked):
	case kind == store.Missing:
		want = s.model.miss(s.clock.Now())
	default:
		want = engagement.RowApplied
		s.model.observe(s.clock.Now(), n)
		s.model.claim = uuid.Nil
	}
	if len(applied.Rows) != 1 || applied.Rows[0].Outcome != want {
		t.Fatalf("refresh: outcome %+v, want %s", applied.Rows, want)
	}
}

func (s *sequence) giveBack(t *rapid.T) {
	if len(s.works) == 0 {
		return
	}
	work := rapid.SampledFrom(s.works).Draw(t, "given back")
	if err := s.Release(t.Context(), work.ClaimID, work.Results[0].Rows); err != nil {
		t.Fatal(err)
	}
	if s.model.claim == work.ClaimID {
		s.model.claim = uuid.Nil
	}
}

// check compares the database with the model.
func (s *sequence) check(t *rapid.T) {
	points, err := s.History(t.Context(), s.model.row, history.Range{})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]point, len(points))
	for i, p := range points {
		got[i] = point{p.At, p.Metrics.Likes.Value()}
	}
	if fmt.Sprint(got) != fmt.Sprint(s.model.points) {
		t.Fatalf("history %v, want %v", got, s.model.points)
	}
	telescopes(t, points)
	w, err := s.Tweet(t.Context(), s.model.row)
	if err != nil {
		t.Fatal(err)
	}
	if w.Tracking.Metrics.Likes.Value() != s.model.likes || !w.Tracking.ObservedAt.Equal(s.model.observed) || w.Tracking.Attempts != s.model.attempts ||
		w.Tracking.Misses != s.model.misses || w.Tracking.Gone() != s.model.gone {
		t.Fatalf("row %+v, want %+v", w.Tracking, s.model)
	}
	if held := !w.ClaimedUntil.IsZero(); held != (s.model.claim != uuid.Nil) {
		t.Fatalf("row is claimed: %v, want %v", held, !held)
	}
}
