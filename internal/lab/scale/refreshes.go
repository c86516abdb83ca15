package scale

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sourcegraph/conc/pool"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/lab/proc"
	"gorgone/refresh"
)

const (
	// loadRate is the rate of calls beside which refreshes are measured, at all sizes: 50
	// tweets each.
	loadRate = 20

	refreshEvery = 200 * time.Millisecond
)

// measureRefreshes requests refreshes while all that is live is due and is looked up at the
// rate, and notes what the roles' memory comes to.
func (s *size) measureRefreshes(ctx context.Context) (err error) {
	db, err := s.database(ctx, 25*time.Hour)
	if err != nil {
		return err
	}
	defer db.Close()
	st, err := s.startStack(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	queue, err := s.process.OpenQueue(ctx, st.cfg.Queue, st.nats.Queue)
	if err != nil {
		return err
	}
	defer queue.Close()
	var running []*proc.Role
	defer func() {
		for _, r := range running {
			err = errors.Join(err, r.Stop())
			s.addMemory("memory of the "+r.Name+", at work", r)
		}
	}()
	for _, name := range []string{"worker", "dispatcher"} {
		r, err := s.startRole(ctx, st, name)
		if err != nil {
			return err
		}
		running = append(running, r)
	}
	if err := s.awaitLookups(ctx); err != nil {
		return err
	}
	took, err := s.requestRefreshes(ctx, db, queue)
	if err != nil {
		return err
	}
	f := Figure{Name: "refresh under load", Kind: Hot, Runs: len(took)}
	f.times(took)
	s.result.add(f)
	return nil
}

// awaitLookups waits until the first tweets are looked up.
func (s *size) awaitLookups(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, errors.New("nothing that is due was looked up"))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var found int
		if err := s.sql.QueryRow(ctx, `select coalesce(sum(found), 0) from gorgone.batches`).Scan(&found); err != nil {
			return fmt.Errorf("read the batches: %w", errors.Join(err, context.Cause(ctx)))
		}
		if found > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// requestRefreshes requests refreshes at an even rate, and returns how long each took.
func (s *size) requestRefreshes(ctx context.Context, db *app.Database, queue *app.Queue) ([]time.Duration, error) {
	service := refresh.Service{Requests: db.Store, Queue: queue, Clock: db.Clock, Log: s.Log}
	every := time.NewTicker(refreshEvery)
	defer every.Stop()
	answers := pool.NewWithResults[time.Duration]().WithContext(ctx).WithFirstError()
	for n := range int(s.Load / refreshEvery) {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-every.C:
		}
		t := s.tweet(s.tracked - 1 - int(mix(uint64(n))%uint64(s.live())))
		answers.Go(func(ctx context.Context) (time.Duration, error) {
			began := time.Now()
			tweets, err := db.Store.FindTweet(ctx, t.id)
			if err != nil {
				return 0, err
			}
			result, err := service.Do(ctx, refresh.Request{Tweets: tweets, Caller: refresh.Caller{Name: "scale"}, Force: true}, 20*time.Second)
			if err != nil {
				return 0, err
			}
			if r := result.Request; r.Outcome != engagement.RequestUpdated && r.Outcome != engagement.RequestCurrent {
				return 0, fmt.Errorf("a refresh of %s ended with %q: %s %s", t.id, r.Outcome, r.Cause, r.Reason)
			}
			return time.Since(began), nil
		})
	}
	return answers.Wait()
}
