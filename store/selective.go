package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// minimumsLast is how long, in real time, the zones' minimums are gone by before
// they are read again.
const minimumsLast = 30 * time.Second

// minimums are the zones that look only after tweets with some engagement: the key
// min_engagement of their settings, a number from 1 up. They are few, and read
// apart from the rows, which would cost every look a join.
type minimums struct {
	mu     sync.RWMutex
	until  time.Time // engine time
	byZone map[uuid.UUID]int64
}

// readMinimums reads the zones' minimums, unless that was done a moment ago.
func (s *Store) readMinimums(ctx context.Context, anew bool) error {
	const sql = `
		select id, least(trunc((settings->>'min_engagement')::numeric), 2147483647)::int8 from public.zones
		where case when jsonb_typeof(settings->'min_engagement') = 'number' then (settings->>'min_engagement')::numeric >= 1 end`
	m, now := &s.minimums, s.clock.Now()
	m.mu.RLock()
	current := now.Before(m.until)
	m.mu.RUnlock()
	if current && !anew {
		return nil
	}
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	byZone := make(map[uuid.UUID]int64)
	rows, err := s.db.pool.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("read the zones' settings: %w", err)
	}
	var (
		zone  uuid.UUID
		least int64
	)
	if _, err := pgx.ForEachRow(rows, []any{&zone, &least}, func() error {
		byZone[zone] = least
		return nil
	}); err != nil {
		return fmt.Errorf("read the zones' settings: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byZone, m.until = byZone, now.Add(s.clock.Engine(minimumsLast))
	return nil
}

// policyOf returns the policy for the rows of a zone.
func (s *Store) policyOf(zone uuid.UUID) engagement.Policy {
	s.minimums.mu.RLock()
	defer s.minimums.mu.RUnlock()
	if least, selective := s.minimums.byZone[zone]; selective {
		return engagement.Selective{Policy: s.policy, Minimum: least}
	}
	return s.policy
}
