package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// answerTTL is how long an answer is shared with everyone who asks for it.
	answerTTL = 2 * time.Second

	// answerTimeout bounds the computation of an answer.
	answerTimeout = dearTimeout

	// maxAnswers is how many answers are cached.
	maxAnswers = 64
)

// coalescer computes an answer once for all who ask at about the same time, so that
// many open pages cost the database no more than one.
type coalescer[T any] struct {
	flights singleflight.Group
	now     func() time.Time

	mu   sync.Mutex
	kept map[string]keptAnswer[T]
}

type keptAnswer[T any] struct {
	value T
	until time.Time
}

func newCoalescer[T any]() *coalescer[T] {
	return &coalescer[T]{now: time.Now, kept: make(map[string]keptAnswer[T])}
}

// get returns the cached answer to a question, or calls find. That call continues when
// the first caller leaves, since others may wait for it.
func (c *coalescer[T]) get(ctx context.Context, question string, find func(ctx context.Context) (T, error)) (T, error) {
	if value, known := c.known(question); known {
		return value, nil
	}
	done := c.flights.DoChan(question, func() (any, error) {
		if value, known := c.known(question); known {
			return value, nil // of a call that ended just now
		}
		finding, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
		defer cancel()
		value, err := find(finding)
		if err == nil {
			c.keep(question, value)
		}
		return value, err
	})
	var zero T
	select {
	case result := <-done:
		if result.Err != nil {
			return zero, result.Err
		}
		value, ok := result.Val.(T)
		if !ok {
			return zero, fmt.Errorf("coalesced answer is a %T", result.Val)
		}
		return value, nil
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

func (c *coalescer[T]) known(question string) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, found := c.kept[question]
	return k.value, found && c.now().Before(k.until)
}

func (c *coalescer[T]) keep(question string, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for q, k := range c.kept {
		if !now.Before(k.until) || len(c.kept) >= maxAnswers {
			delete(c.kept, q)
		}
	}
	c.kept[question] = keptAnswer[T]{value, now.Add(answerTTL)}
}
