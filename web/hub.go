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

	// keptBytes is how much memory they may take: an event holds up to a batch of
	// tweets.
	keptBytes = 16 << 20

	// maxPerUser is how many streams a user may read at once, so that none keeps
	// the others out.
	maxPerUser = 20

	// readerBuffer is how many events a reader may be behind before it is dropped.
	readerBuffer = 256

	// linger is how long events are asked for after the last reader has left: most
	// come back.
	linger = 30 * time.Second

	rewatchPause = time.Second

	// gapPause is how long it may take until readers hear that events were missed.
	gapPause = time.Second
)

// frame is one event as readers get it.
type frame struct {
	seq  uint64
	zone uuid.UUID // zero: of all
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
	size    int     // of them, in bytes
	readers map[*reader]struct{}
	byUser  map[string]int // readers of each user
	left    time.Time      // when the last reader left
	closed  bool
}

// reader is somebody who follows the events of some zones.
type reader struct {
	frames chan frame
	gone   chan struct{} // closed when the reader is dropped
	user   string        // empty: a service

	mu    sync.Mutex
	zones map[uuid.UUID]bool // nil: all
}

func newHub(boot string, most int) *hub {
	return &hub{boot: boot, max: most, readers: make(map[*reader]struct{}), byUser: make(map[string]int)}
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
	return r.zones == nil || zone == uuid.Nil || r.zones[zone]
}

func (r *reader) setZones(ids []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zones = zoneSet(ids)
}

// join adds a reader, who is a user unless that is empty. missed are the events
// after the one with the id lastID, if that is known; complete is false when there
// may have been others.
func (h *hub) join(user string, zones []uuid.UUID, lastID string) (r *reader, missed []frame, complete bool, err error) {
	r = &reader{frames: make(chan frame, readerBuffer), gone: make(chan struct{}), user: user, zones: zoneSet(zones)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.readers) >= h.max {
		return nil, nil, false, &failure{status: 503, code: "busy", message: "there are too many readers", retryAfter: retryFull}
	}
	if user != "" {
		if h.byUser[user] >= maxPerUser {
			return nil, nil, false, &failure{status: 429, code: "limit", message: fmt.Sprintf("you read %d streams of events already", maxPerUser), retryAfter: retryFull}
		}
		h.byUser[user]++
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
		h.remove(r)
	}
}

// remove is called with the lock held, for one who is in.
func (h *hub) remove(r *reader) {
	delete(h.readers, r)
	if r.user != "" {
		if h.byUser[r.user]--; h.byUser[r.user] == 0 {
			delete(h.byUser, r.user)
		}
	}
	h.left = time.Now()
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
	h.remove(r)
	close(r.gone)
}

// publish passes an event on. data must be JSON on one line.
func (h *hub) publish(kind string, zone uuid.UUID, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	f := frame{seq: h.seq, zone: zone, text: fmt.Appendf(nil, "id: %s_%d\nevent: %s\ndata: %s\n\n", h.boot, h.seq, kind, data)}
	h.keep(f)
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

// keep is called with the lock held.
func (h *hub) keep(f frame) {
	for len(h.kept) == keptEvents || h.size+len(f.text) > keptBytes && len(h.kept) > 0 {
		oldest := h.kept[:(len(h.kept)+3)/4]
		for _, old := range oldest {
			h.size -= len(old.text)
		}
		h.kept = slices.Delete(h.kept, 0, len(oldest))
	}
	h.kept = append(h.kept, f)
	h.size += len(f.text)
}

// gap tells all readers that events were missed, and forgets those before: who
// comes back after one of them has missed some too.
func (h *hub) gap() {
	h.mu.Lock()
	h.kept, h.size = nil, 0
	h.mu.Unlock()
	h.publish("reset", uuid.Nil, []byte(resetData))
}

// resetData is the data of an event that says that others were missed.
const resetData = `{"reason":"events were missed: read again what you show"}`

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
	look := time.NewTicker(gapPause)
	defer look.Stop()
	reconnects := s.parts.Connection.Reconnects()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if err := s.live.spread(e); err != nil {
				s.log.Warn().Err(err).Msg("an event was not passed on")
			}
		case <-look.C:
			// What was sent while the connection was away is lost.
			if now := s.parts.Connection.Reconnects(); now != reconnects {
				reconnects = now
				s.callAudience()
				s.live.gap()
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
