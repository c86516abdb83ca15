package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/bill"
)

// Answers that the database does not take are in a worker's memory, which does not outlive
// it. So at the first failure they are put into the queue too. The worker that has them
// writes them when the database is there again, and forgets them; if it does not, another
// does. Both may: of what is written again the claim, or the time of the look-up, lets
// nothing through, and the ledger takes the name of a bill once.

// Keeper keeps answers outside of this process.
type Keeper interface {
	Keep(ctx context.Context, k queue.Kept) (seq uint64, err error)
	Forget(ctx context.Context, seq uint64) error
	KeptOf(ctx context.Context, work uuid.UUID) (bodies [][]byte, err error)
}

// Kept delivers answers that were kept.
type Kept interface {
	Next(ctx context.Context) (*queue.KeptDelivery, error)
}

// errKeptUnknown says that it cannot be found out whether answers to a batch are kept.
var errKeptUnknown = errors.New("it is not known whether answers are kept")

// unreadableDelay is after how long kept answers are delivered again that this worker cannot
// read: a newer one may.
const unreadableDelay = time.Minute

// keptVersion is the version of [keptBody].
const keptVersion = 1

// keptBody is answers as they are kept.
type keptBody struct {
	V       int          `json:"v"`
	Refresh bool         `json:"refresh,omitempty"`
	Claim   uuid.UUID    `json:"claim,omitzero"`
	Until   time.Time    `json:"until,omitzero"` // end of the claim's lease
	Results []keptResult `json:"results"`
	Calls   []keptCalls  `json:"calls"`
}

// keptResult is a [store.Result], or what a [store.RefreshResult] has of it.
type keptResult struct {
	TweetID     string                 `json:"tweet"`
	Rows        []uuid.UUID            `json:"rows,omitempty"`
	Kind        store.Kind             `json:"kind"`
	Observation engagement.Observation `json:"observation"`
	Reason      string                 `json:"reason,omitempty"`
	Call        int                    `json:"call"`
	Unreadable  bool                   `json:"unreadable,omitempty"`
}

// keptCalls is a [store.Calls].
type keptCalls struct {
	Provider string        `json:"provider"`
	Purpose  string        `json:"purpose,omitempty"`
	Count    int           `json:"count"`
	Failed   int           `json:"failed"`
	Time     time.Duration `json:"time"`
	Billed   int           `json:"billed"`
	Reads    bill.Reads    `json:"reads,omitzero"`
	Canaries int           `json:"canaries"`
	Lost     int           `json:"lost"`
	Client   uuid.UUID     `json:"client,omitzero"`
	UsageID  uuid.UUID     `json:"usage_id"`
}

// keptResults is how many results a message has at most.
const keptResults = 100

// keep keeps answers to the claim of the body, or to refreshes, and what their calls have
// cost, which is named.
func keep(ctx context.Context, k Keeper, body keptBody, calls []store.Calls) (seqs []uint64, err error) {
	body.V = keptVersion
	for _, c := range calls {
		body.Calls = append(body.Calls, keptCalls(c))
	}
	work := body.Claim
	if work == uuid.Nil {
		work = uuid.New()
	}
	parts := slices.Collect(slices.Chunk(body.Results, keptResults))
	if len(parts) == 0 && len(body.Calls) > 0 {
		parts = append(parts, nil)
	}
	for _, part := range parts {
		body.Results = part
		data, err := json.Marshal(body)
		if err != nil {
			return seqs, fmt.Errorf("encode answers to be kept: %w", err)
		}
		seq, err := k.Keep(ctx, queue.Kept{ID: uuid.New(), Work: work, Body: data})
		if err != nil {
			return seqs, err
		}
		seqs = append(seqs, seq)
		body.Calls = nil // they are entered with the first part
	}
	return seqs, nil
}

func keptOf(results []store.Result) []keptResult {
	kept := make([]keptResult, len(results))
	for i, r := range results {
		kept[i] = keptResult(r)
	}
	return kept
}

func keptOfRefreshes(results []store.RefreshResult) []keptResult {
	kept := make([]keptResult, len(results))
	for i, r := range results {
		kept[i] = keptResult{TweetID: r.TweetID, Kind: r.Kind, Observation: r.Observation, Reason: r.Reason, Call: r.Call}
	}
	return kept
}

func decodeKept(data []byte) (body keptBody, err error) {
	if err := json.Unmarshal(data, &body); err != nil {
		return body, fmt.Errorf("decode kept answers: %w", err)
	}
	if body.V != keptVersion {
		return body, fmt.Errorf("decode kept answers: version %d is unknown, want %d", body.V, keptVersion)
	}
	return body, nil
}

// usage is what the calls have cost.
func (b *keptBody) usage() (u usage) {
	for _, c := range b.Calls {
		u = append(u, store.Calls(c))
	}
	return u
}

// keptHandler writes answers that were kept.
type keptHandler struct {
	keeper    Keeper
	batches   *batchHandler
	refreshes *refreshHandler
	log       zerolog.Logger
}

// handle writes the answers of one message, and never panics.
func (h *keptHandler) handle(ctx context.Context, d *queue.KeptDelivery) {
	if d.Deliveries() == 1 {
		// The worker that has them most likely lives, and writes them itself.
		h.putOff(d, d.AckWait()/2)
		return
	}
	settled := d.KeepAlive(ctx, nil)
	defer settled()
	body, err := decodeKept(d.Body())
	if err != nil {
		h.log.Error().Err(err).Msg("kept answers cannot be read; they are left for another worker")
		h.putOff(d, unreadableDelay)
		return
	}
	if e := guard(func() { err = h.write(ctx, body) }); e != nil {
		err = e
	}
	if err != nil {
		h.log.Warn().Err(err).Msg("kept answers are not written yet")
		delay := unwrittenDelay
		if ctx.Err() != nil {
			delay = 0
		}
		h.putOff(d, delay)
		return
	}
	h.log.Info().Stringer("claim", body.Claim).Int("tweets", len(body.Results)).Msg("wrote answers that were kept in the queue")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := d.Ack(ctx); err != nil {
		h.log.Warn().Err(err).Msg("acking kept answers failed")
	}
}

func (h *keptHandler) putOff(d *queue.KeptDelivery, delay time.Duration) {
	if err := d.Nak(delay); err != nil {
		h.log.Warn().Err(err).Msg("putting off kept answers failed")
	}
}

// writeOf writes what is kept of the answers to a batch, before it is looked up again.
func (h *keptHandler) writeOf(ctx context.Context, claim uuid.UUID) error {
	bodies, err := h.keeper.KeptOf(ctx, claim)
	if err != nil {
		return fmt.Errorf("%w: %w", errKeptUnknown, err)
	}
	for _, data := range bodies {
		body, err := decodeKept(data)
		if err != nil {
			return fmt.Errorf("%w: %w", errKeptUnknown, err)
		}
		if err := h.write(ctx, body); err != nil {
			return err
		}
	}
	return nil
}

// write writes answers as the worker would have that kept them. It waits until the database
// takes them, or ctx ends.
func (h *keptHandler) write(ctx context.Context, body keptBody) error {
	if body.Refresh {
		g := &refreshGroup{refreshHandler: h.refreshes, usage: body.usage()}
		results := make([]store.RefreshResult, len(body.Results))
		for i, r := range body.Results {
			results[i] = lateResult(store.Result(r))
		}
		if err := g.put(ctx, results); err != nil {
			return err
		}
		return h.enter(ctx, g.usage, true)
	}
	j := &job{batchHandler: h.batches, batch: queue.Batch{ID: body.Claim, Until: body.Until}, log: h.log, usage: body.usage()}
	results := make([]store.Result, len(body.Results))
	for i, r := range body.Results {
		results[i] = store.Result(r)
	}
	if err := j.apply(ctx, results); err != nil {
		return err
	}
	return h.enter(ctx, j.usage, false)
}

// enter enters what calls cost that led to no results.
func (h *keptHandler) enter(ctx context.Context, u usage, refresh bool) error {
	if len(u) == 0 {
		return nil
	}
	d := h.batches.database
	return d.retry(ctx, d.clock.Now().Add(keepUsage), &h.log, func() error { return h.batches.store.RecordCalls(ctx, refresh, u...) })
}
