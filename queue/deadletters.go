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

// ErrNoDeadLetter is returned for a dead letter that is not there (any more).
var ErrNoDeadLetter = errors.New("no such dead letter")

// DeadLetters lists the newest dead letters, newest first, at most limit.
func (q *Queue) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	seqs, err := q.DeadLetterSeqs(ctx)
	if err != nil {
		return nil, err
	}
	var list []DeadLetter
	for _, seq := range slices.Backward(seqs) {
		if len(list) == limit {
			break
		}
		d, err := q.DeadLetter(ctx, seq)
		if errors.Is(err, ErrNoDeadLetter) {
			continue // dropped at this moment
		}
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// DeadLetterSeqs returns the places of all dead letters, oldest first.
func (q *Queue) DeadLetterSeqs(ctx context.Context) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
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

// DeadLetter returns the dead letter at a place, or an error that wraps
// [ErrNoDeadLetter].
func (q *Queue) DeadLetter(ctx context.Context, seq uint64) (DeadLetter, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
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

// DropDeadLetter deletes a dead letter. One that is gone is no error.
func (q *Queue) DropDeadLetter(ctx context.Context, seq uint64) error {
	return q.remove(ctx, q.names.dead, seq)
}

// Republish puts the message of a dead letter back into its lane, as it was. The
// dead letter stays. The error wraps [ErrNoDeadLetter] when the message was not
// kept.
func (q *Queue) Republish(ctx context.Context, d DeadLetter) error {
	if d.Body == nil || d.Subject == "" {
		return fmt.Errorf("%w: the message of %d was not kept", ErrNoDeadLetter, d.Seq)
	}
	// Without the id that it had: as a duplicate it would not be stored.
	if err := q.publish(ctx, &nats.Msg{Subject: d.Subject, Data: d.Body}); err != nil {
		return fmt.Errorf("publish dead letter %d again: %w", d.Seq, err)
	}
	return nil
}

// KeepDeadLetter stores a dead letter. One of the same message is stored once.
func (q *Queue) KeepDeadLetter(ctx context.Context, d DeadLetter) error {
	if err := q.publish(ctx, q.deadLetterOf(d, nil)); err != nil {
		return fmt.Errorf("keep a dead letter: %w", err)
	}
	return nil
}

// Batch reads the batch that the dead letter holds.
func (d DeadLetter) Batch() (Batch, error) { return decodeBatch(d.Body, "") }

// Refresh reads the refresh that the dead letter holds.
func (d DeadLetter) Refresh() (Refresh, error) {
	return decodeRefresh(d.Body, d.Subject[strings.LastIndexByte(d.Subject, '.')+1:])
}

func (q *Queue) laneOf(stream string) Lane {
	if stream == q.names.refresh {
		return LaneRefresh
	}
	return LaneBatch
}

func (q *Queue) readDeadLetter(m *jetstream.RawStreamMsg) DeadLetter {
	d := DeadLetter{Seq: m.Sequence, At: m.Time}
	lane, ours := strings.CutPrefix(m.Subject, q.names.deadOf(""))
	if !ours {
		return q.readNotice(d, m)
	}
	d.Lane = Lane(lane)
	d.Reason = m.Header.Get(headerReason)
	d.Subject = m.Header.Get(headerSubject)
	d.MsgID = m.Header.Get(headerMsgID)
	d.Stream = m.Header.Get(headerStream)
	d.Body = m.Data
	// What an operator put there by hand may lack these: they stay zero.
	d.Deliveries, _ = strconv.Atoi(m.Header.Get(headerDeliveries))
	d.StreamSeq, _ = strconv.ParseUint(m.Header.Get(headerStreamSeq), 10, 64)
	d.FirstSeen, _ = time.Parse(time.RFC3339Nano, m.Header.Get(headerFirstSeen))
	return d
}

// readNotice reads the server's announcement that a message was delivered
// maxDeliver times and is not delivered any more. A worker makes a dead letter of
// the message, see [Exhausted]; the announcement of one that is gone stays.
func (q *Queue) readNotice(d DeadLetter, m *jetstream.RawStreamMsg) DeadLetter {
	var a advisory
	if err := json.Unmarshal(m.Data, &a); err != nil {
		d.Reason = fmt.Sprintf("unreadable notice of the server on %s: %v", m.Subject, err)
		return d
	}
	d.Lane, d.Stream, d.StreamSeq, d.Deliveries, d.Reason = q.laneOf(a.Stream), a.Stream, a.StreamSeq, a.Deliveries, a.reason()
	return d
}
