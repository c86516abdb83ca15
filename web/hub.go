package web

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
)

const (
	// keptEvents is how many of the last events a reader who comes back can catch
	// up on.
	keptEvents = 2048

	// readerBuffer is how many events a reader may be behind before it is dropped.
	readerBuffer = 256

	// linger is how long events are asked for after the last reader has left: most
	// come back.
	linger = 30 * time.Second

	rewatchPause = time.Second
)

// frame is one event as readers get it.
type frame struct {
	seq  uint64
	zone uuid.UUID
	text []byte
}

// hub passes events on to the readers of this process. A reader who falls behind
// is dropped; nobody waits for another.
type hub struct {
	boot string // makes the ids of events of this process its own
	max  int

	mu      sync.Mutex
	seq     uint64
	kept    []frame // the last ones, oldest first
	readers map[*reader]struct{}
	left    time.Time // when the last reader left
	closed  bool
}

// reader is somebody who follows the events of some zones.
type reader struct {
	frames chan frame
	gone   chan struct{} // closed when the reader is dropped

	mu    sync.Mutex
	zones map[uuid.UUID]bool // nil: all
}

func newHub(boot string, most int) *hub {
	return &hub{boot: boot, max: most, readers: make(map[*reader]struct{})}
}

func zoneSet(ids []uuid.UUID) map[uuid.UUID]bool {
	if ids == nil {
		return nil
	}
	set := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func (r *reader) reads(zone uuid.UUID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.zones == nil || r.zones[zone]
}

func (r *reader) setZones(ids []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zones = zoneSet(ids)
}

// join adds a reader. missed are the events after the one with the id lastID, if
// that is known; complete is false when there may have been others.
func (h *hub) join(zones []uuid.UUID, lastID string) (r *reader, missed []frame, complete bool, err error) {
	r = &reader{frames: make(chan frame, readerBuffer), gone: make(chan struct{}), zones: zoneSet(zones)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.readers) >= h.max {
		return nil, nil, false, &failure{status: 503, code: "busy", message: "there are too many readers", retryAfter: retryFull}
	}
	h.readers[r] = struct{}{}
	last, known := h.position(lastID)
	if !known {
		return r, nil, lastID == "", nil
	}
	for _, f := range h.kept {
		if f.seq > last && r.reads(f.zone) {
			missed = append(missed, f)
		}
	}
	return r, missed, true, nil
}

// position reads an event's id. It is known when all events after it are kept.
func (h *hub) position(id string) (seq uint64, known bool) {
	boot, number, found := strings.Cut(id, "_")
	if !found || boot != h.boot {
		return 0, false
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	oldest := h.seq + 1
	if len(h.kept) > 0 {
		oldest = h.kept[0].seq
	}
	return seq, err == nil && seq <= h.seq && seq+1 >= oldest
}

func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, in := h.readers[r]; in {
		delete(h.readers, r)
		h.left = time.Now()
	}
}

// wanted reports whether anybody reads, or has a moment ago.
func (h *hub) wanted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers) > 0 || !h.left.IsZero() && time.Since(h.left) < linger
}

// close drops all readers and takes no more.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for r := range h.readers {
		h.drop(r)
	}
}

// drop is called with the lock held.
func (h *hub) drop(r *reader) {
	delete(h.readers, r)
	h.left = time.Now()
	close(r.gone)
}

// publish passes an event on. data must be JSON on one line.
func (h *hub) publish(kind string, zone uuid.UUID, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	f := frame{seq: h.seq, zone: zone, text: fmt.Appendf(nil, "id: %s_%d\nevent: %s\ndata: %s\n\n", h.boot, h.seq, kind, data)}
	if len(h.kept) == keptEvents {
		h.kept = slices.Delete(h.kept, 0, keptEvents/4)
	}
	h.kept = append(h.kept, f)
	for r := range h.readers {
		if !r.reads(zone) {
			continue
		}
		select {
		case r.frames <- f:
		default:
			h.drop(r)
		}
	}
}

// liveTweet is a tweet in an event.
type liveTweet struct {
	TweetID        uuid.UUID  `json:"tweet_id"`
	TwitterTweetID string     `json:"twitter_tweet_id"`
	Metrics        metrics    `json:"metrics"`
	Velocity       *float64   `json:"engagement_velocity"`
	Tier           string     `json:"tier"`
	TierUpdated    bool       `json:"tier_updated"`
	LastUpdated    *time.Time `json:"last_updated"`
	NextUpdateAt   *time.Time `json:"next_update_at"`
	Outcome        string     `json:"outcome"`
	Reason         string     `json:"reason,omitempty"`
}

// liveBatch is the data of an event: what happened in one zone at the same moment.
type liveBatch struct {
	ZoneID uuid.UUID   `json:"zone_id"`
	Tweets []liveTweet `json:"tweets"`
}

// spread passes a message of the queue on, zone by zone.
func (h *hub) spread(e queue.Event) error {
	if e.Kind != queue.EventSeen {
		var about struct {
			ZoneID uuid.UUID `json:"zone_id"`
		}
		if err := json.Unmarshal(e.Data, &about); err != nil || about.ZoneID == uuid.Nil {
			return fmt.Errorf("event %s says no zone: %w", e.Kind, err)
		}
		return h.encode(e.Kind, about.ZoneID, e.Data)
	}
	seen, err := queue.DecodeSeen(e.Data)
	if err != nil {
		return err
	}
	type group struct {
		kind string
		zone uuid.UUID
	}
	var order []group
	batches := make(map[group]*liveBatch)
	for _, t := range seen {
		g := group{"failure", t.ZoneID}
		if t.Outcome == queue.Updated {
			g.kind = "update"
		}
		b := batches[g]
		if b == nil {
			b = &liveBatch{ZoneID: t.ZoneID}
			batches[g] = b
			order = append(order, g)
		}
		b.Tweets = append(b.Tweets, liveTweet{
			t.RowID, t.TweetID, metricsOf(t.Metrics), t.Velocity, string(t.Tier), t.TierChanged,
			moment(t.At), moment(t.NextUpdateAt), string(t.Outcome), t.Reason,
		})
	}
	for _, g := range order {
		if err := h.encode(g.kind, g.zone, batches[g]); err != nil {
			return err
		}
	}
	return nil
}

func (h *hub) encode(kind string, zone uuid.UUID, data any) error {
	body, err := json.Marshal(data) // also puts raw JSON on one line
	if err != nil {
		return fmt.Errorf("encode event %s: %w", kind, err)
	}
	h.publish(kind, zone, body)
	return nil
}

// follow passes the queue's events on to the hub until ctx ends, and calls for
// them while somebody reads.
func (s *Server) follow(ctx context.Context) {
	for ctx.Err() == nil {
		events, stop, err := s.parts.Queue.WatchEvents(ctx)
		if err != nil {
			s.log.Warn().Err(err).Msg("live events are not followed")
			select {
			case <-time.After(rewatchPause):
			case <-ctx.Done():
			}
			continue
		}
		s.pass(ctx, events)
		stop()
	}
}

func (s *Server) pass(ctx context.Context, events <-chan queue.Event) {
	call := time.NewTicker(queue.CallAudienceEvery)
	defer call.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if err := s.live.spread(e); err != nil {
				s.log.Warn().Err(err).Msg("an event was not passed on")
			}
		case <-call.C:
			s.callAudience()
		}
	}
}

// callAudience has the workers tell what they see, if anybody wants to know.
func (s *Server) callAudience() {
	if !s.live.wanted() || !s.parts.Connection.Connected() {
		return
	}
	if err := s.parts.Queue.CallAudience(); err != nil {
		s.log.Warn().Err(err).Msg("call for live events")
	}
}
