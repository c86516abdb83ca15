package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoDeadLetter is returned for a dead letter that does not exist (any more).
var ErrNoDeadLetter = errors.New("no such dead letter")

// DeadLetters returns up to limit dead letters, newest first.
func (q *Queue) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	list, _, err := q.DeadLetterPage(ctx, 0, limit)
	return list, err
}

// DeadLetterPage returns up to limit dead letters after the newest offset ones, newest
// first, and how many there are in total.
func (q *Queue) DeadLetterPage(ctx context.Context, offset, limit int) (list []DeadLetter, total int, err error) {
	seqs, err := q.DeadLetterSeqs(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, seq := range slices.Backward(seqs[:max(len(seqs)-offset, 0)]) {
		if len(list) == limit {
			break
		}
		d, err := q.DeadLetter(ctx, seq)
		if errors.Is(err, ErrNoDeadLetter) {
			continue // deleted in the meantime
		}
		if err != nil {
			return nil, 0, err
		}
		list = append(list, d)
	}
	return list, len(seqs), nil
}

// DeadLetterSeqs returns the sequence numbers of all dead letters, oldest first.
func (q *Queue) DeadLetterSeqs(ctx context.Context) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := q.js.Stream(ctx, q.names.dead)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", plain(err))
	}
	info, err := stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", plain(err))
	}
	state := info.State
	if state.Msgs == 0 {
		return nil, nil
	}
	gone := make(map[uint64]bool, len(state.Deleted))
	for _, seq := range state.Deleted {
		gone[seq] = true
	}
	seqs := make([]uint64, 0, state.Msgs)
	for seq := max(state.FirstSeq, 1); seq <= state.LastSeq; seq++ {
		if !gone[seq] {
			seqs = append(seqs, seq)
		}
	}
	return seqs, nil
}

// DeadLetter returns the dead letter with the given sequence number, or an error that
// wraps [ErrNoDeadLetter].
func (q *Queue) DeadLetter(ctx context.Context, seq uint64) (DeadLetter, error) {
	if seq == 0 { // the server takes it for a bad request
		return DeadLetter{}, fmt.Errorf("%w: they are counted from 1", ErrNoDeadLetter)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := q.js.Stream(ctx, q.names.dead)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("read dead letter %d: %w", seq, plain(err))
	}
	m, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, fmt.Errorf("%w: %d", ErrNoDeadLetter, seq)
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("read dead letter %d: %w", seq, plain(err))
	}
	return q.readDeadLetter(m), nil
}

// DeleteDeadLetter deletes a dead letter. It is no error if there is none.
func (q *Queue) DeleteDeadLetter(ctx context.Context, seq uint64) error {
	return q.remove(ctx, q.names.dead, seq)
}

// Republish publishes the message of a dead letter again, unchanged. The dead letter
// stays. The error wraps [ErrNoDeadLetter] if the message was not kept.
func (q *Queue) Republish(ctx context.Context, d DeadLetter) error {
	if d.Body == nil || d.Subject == "" {
		return fmt.Errorf("%w: the message of %d was not kept", ErrNoDeadLetter, d.Seq)
	}
	// Without its id: a duplicate would not be stored.
	if err := q.publish(ctx, &nats.Msg{Subject: d.Subject, Data: d.Body}); err != nil {
		return fmt.Errorf("publish dead letter %d again: %w", d.Seq, err)
	}
	return nil
}

// AddDeadLetter stores a dead letter, once per message.
func (q *Queue) AddDeadLetter(ctx context.Context, d DeadLetter) error {
	if err := q.publish(ctx, q.deadLetterMessage(d, nil)); err != nil {
		return fmt.Errorf("store a dead letter: %w", err)
	}
	return nil
}

// Batch decodes the batch in the dead letter.
func (d DeadLetter) Batch() (Batch, error) { return decodeBatch(d.Body, "") }

// Refresh decodes the refresh in the dead letter.
func (d DeadLetter) Refresh() (Refresh, error) {
	return decodeRefresh(d.Body, d.Subject[strings.LastIndexByte(d.Subject, '.')+1:])
}

func (q *Queue) classOf(stream string) Class {
	if stream == q.names.refresh {
		return ClassRefresh
	}
	return ClassBatch
}

func (q *Queue) readDeadLetter(m *jetstream.RawStreamMsg) DeadLetter {
	d := DeadLetter{Seq: m.Sequence, At: m.Time}
	class, found := strings.CutPrefix(m.Subject, q.names.deadOf(""))
	if !found {
		return q.readAdvisory(d, m)
	}
	d.Class = Class(class)
	d.Reason = m.Header.Get(headerReason)
	d.Subject = m.Header.Get(headerSubject)
	d.MsgID = m.Header.Get(headerMsgID)
	d.Stream = m.Header.Get(headerStream)
	d.Body = m.Data
	// A message that an operator stored by hand may lack these: they stay zero.
	d.Deliveries, _ = strconv.Atoi(m.Header.Get(headerDeliveries))
	d.StreamSeq, _ = strconv.ParseUint(m.Header.Get(headerStreamSeq), 10, 64)
	d.FirstSeen, _ = time.Parse(time.RFC3339Nano, m.Header.Get(headerFirstSeen))
	return d
}

// readAdvisory reads the server's advisory that a message was delivered maxDeliver times
// and is not delivered any more. A worker dead-letters the message, see
// [MaxDeliveriesMessage]; the advisory of a message that is gone stays.
func (q *Queue) readAdvisory(d DeadLetter, m *jetstream.RawStreamMsg) DeadLetter {
	var a advisory
	if err := json.Unmarshal(m.Data, &a); err != nil {
		d.Reason = fmt.Sprintf("unreadable server advisory on %s: %v", m.Subject, err)
		return d
	}
	d.Class, d.Stream, d.StreamSeq, d.Deliveries, d.Reason = q.classOf(a.Stream), a.Stream, a.StreamSeq, a.Deliveries, a.reason()
	return d
}
