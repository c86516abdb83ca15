package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrTriggerRunning is returned when a message is being worked on at this moment.
var ErrTriggerRunning = errors.New("a trigger with this message id is running")

// BeginTrigger records that a message begins to be worked on. When it was worked
// on before, the answer given then is returned; when it is being worked on, the
// error is [ErrTriggerRunning], unless that began longer than patience (real time)
// ago, which takes it over from a process that has died.
func (s *Store) BeginTrigger(ctx context.Context, messageID string, patience time.Duration) (answer json.RawMessage, err error) {
	const (
		begin = `
			insert into gorgone.trigger_answers (message_id, begun_at) values ($1::text, $2::timestamptz)
			on conflict (message_id) do update set begun_at = excluded.begun_at
			where trigger_answers.answer is null and trigger_answers.begun_at < $3::timestamptz
			returning true`
		read = `select answer from gorgone.trigger_answers where message_id = $1::text`
	)
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	now := s.clock.Now()
	var begun bool
	err = s.db.QueryRow(ctx, begin, messageID, now, now.Add(-s.clock.Engine(patience))).Scan(&begun)
	switch {
	case err == nil:
		return nil, nil
	case !errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("record a trigger: %w", err)
	}
	err = s.db.QueryRow(ctx, read, messageID).Scan(&answer)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && answer == nil: // given up by its owner just now, or running
		return nil, ErrTriggerRunning
	case err != nil:
		return nil, fmt.Errorf("read the answer to a trigger: %w", err)
	}
	return answer, nil
}

// EndTrigger records the answer to a message. A nil answer forgets the message, so
// that it may come again.
func (s *Store) EndTrigger(ctx context.Context, messageID string, answer json.RawMessage) error {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	sql, args := `delete from gorgone.trigger_answers where message_id = $1::text and answer is null`, []any{messageID}
	if answer != nil {
		sql, args = `update gorgone.trigger_answers set answer = $2::text::jsonb where message_id = $1::text`, []any{messageID, string(answer)}
	}
	if _, err := s.db.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("record the answer to a trigger: %w", err)
	}
	return nil
}
