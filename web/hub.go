package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/web/answers"
)

const (
	// maxKeptEvents is how many of the last events a reader that reconnects can catch up on.
	maxKeptEvents = 2048

	// maxKeptBytes bounds their memory: an event holds up to a batch of tweets.
	maxKeptBytes = 16 << 20

	// maxStreamsPerUser is how many streams a user may read at once, so that one user
	// cannot keep out the others.
	maxStreamsPerUser = 20

	// readerBuffer is how many events a reader may be behind before it is dropped.
	readerBuffer = 256

	// linger is how long updates are still requested after the last reader has left, as
	// most reconnect.
	linger = 30 * time.Second

	rewatchDelay = time.Second

	// gapCheckEvery is how often lost events are looked for.
	gapCheckEvery = time.Second
)

// frame is one encoded event.
type frame struct {
	seq  uint64
	zone uuid.UUID // zero: for all zones
	text []byte
}

// hub distributes events to the readers of this process. A reader that falls behind is
// dropped, so no reader waits for another.
type hub struct {
	boot string // makes event ids unique to this process
	max  int

	mu      sync.Mutex
	seq     uint64
	kept    []frame // the latest events, oldest first
	size    int     // of kept, in bytes
	readers map[*reader]struct{}
	places  quotas
	left    time.Time // when the last reader left
	closed  bool
}

// reader follows the events of some zones.
type reader struct {
	frames chan frame
	gone   chan struct{} // closed when the reader is dropped
	places []quota

	mu    sync.Mutex
	zones map[uuid.UUID]bool // nil: all
}

// everyZone stands for the zone of what is about all zones, or about their clients: the
// budget of all. Only those who read all zones get it.
var everyZone = uuid.Max

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
	return r.zones == nil || zone == uuid.Nil || r.zones[zone]
}

func (r *reader) setZones(ids []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zones = zoneSet(ids)
}

// resumption is where a stream goes on.
type resumption struct {
	id       string  // from which the events of this stream follow
	complete bool    // false: events before it may have been missed
	missed   []frame // after it, which are there already
}

// gapID is the id of a stream's beginning while it is not said yet that events were
// missed: a reader that comes back with it is told so then.
const gapID = "gap"

// greeting begins a stream. It has an id, so that a reader whose stream is cut before the
// first event goes on from here.
func (r resumption) greeting() []byte {
	if r.complete {
		return fmt.Appendf(nil, "retry: 3000\nid: %s\nevent: hello\ndata: {}\n\n", r.id)
	}
	return fmt.Appendf(nil, "retry: 3000\nid: %s\nevent: hello\ndata: {}\n\nid: %s\nevent: reset\ndata: %s\n\n", gapID, r.id, resetData)
}

// id is called with the lock held.
func (h *hub) id(seq uint64) string { return h.boot + "_" + strconv.FormatUint(seq, 10) }

// signOfLife keeps a quiet stream open. Once its reader has everything, it has an id: a
// reader of a quiet zone would otherwise come back with one that is no longer kept.
func (h *hub) signOfLife(r *reader) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(r.frames) > 0 {
		return []byte(": still here\n\n")
	}
	return fmt.Appendf(nil, ": still here\nid: %s\n\n", h.id(h.seq))
}

// subscriber is who wants to read events: a user of a tenant, if any, or, without a user,
// a service.
type subscriber struct {
	user   string
	tenant uuid.UUID
}

// places are what a reader of the subscriber's counts under, in a hub of so many readers
// at most. A tenth is left for services, and no tenant takes more than a quarter.
func (s subscriber) places(most int) []quota {
	if s.user == "" {
		return nil
	}
	users := max(most-max(most/10, 1), 1)
	list := []quota{{"user " + s.user, maxStreamsPerUser}, {"all users", users}}
	if s.tenant != uuid.Nil {
		list = append(list, quota{"client " + s.tenant.String(), max(users/4, 1)})
	}
	return list
}

// join adds a reader; lastID is empty if it has read none before.
func (h *hub) join(s subscriber, zones []uuid.UUID, lastID string) (r *reader, from resumption, err error) {
	r = &reader{frames: make(chan frame, readerBuffer), gone: make(chan struct{}), places: s.places(h.max), zones: zoneSet(zones)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.readers) >= h.max {
		return nil, from, &failure{status: 503, code: "busy", message: "too many event streams are open", retryAfter: retryFull}
	}
	if full := h.places.take(r.places); full != "" {
		return nil, from, &failure{status: 429, code: "limit", message: "too many event streams are open of " + full, retryAfter: retryFull}
	}
	if len(h.readers) == 0 && time.Since(h.left) >= linger {
		// No updates were requested since, so a reader of an earlier time has missed some.
		h.kept, h.size = nil, 0
		h.seq++
	}
	h.readers[r] = struct{}{}
	last, known := h.position(lastID)
	if !known {
		return r, resumption{id: h.id(h.seq), complete: lastID == ""}, nil
	}
	from = resumption{id: h.id(last), complete: true}
	for _, f := range h.kept {
		if f.seq > last && r.reads(f.zone) {
			from.missed = append(from.missed, f)
		}
	}
	return r, from, nil
}

// position parses an event's id. It is known when all events after it are kept.
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

// remove is called with the lock held, for a reader that has joined.
func (h *hub) remove(r *reader) {
	delete(h.readers, r)
	h.places.give(r.places)
	h.left = time.Now()
}

// hasReaders reports whether there is a reader, or was one less than linger ago.
func (h *hub) hasReaders() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers) > 0 || !h.left.IsZero() && time.Since(h.left) < linger
}

// close drops all readers and accepts no more.
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

// publish sends an event to all readers of its zone. data must be JSON on one line.
func (h *hub) publish(kind string, zone uuid.UUID, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	f := frame{seq: h.seq, zone: zone, text: fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", h.id(h.seq), kind, data)}
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
	for len(h.kept) == maxKeptEvents || h.size+len(f.text) > maxKeptBytes && len(h.kept) > 0 {
		oldest := h.kept[:(len(h.kept)+3)/4]
		for _, old := range oldest {
			h.size -= len(old.text)
		}
		h.kept = slices.Delete(h.kept, 0, len(oldest))
	}
	h.kept = append(h.kept, f)
	h.size += len(f.text)
}

// gap tells all readers that events were lost, and forgets the earlier ones: a reader
// that reconnects after one of those has missed some too.
func (h *hub) gap() {
	h.mu.Lock()
	h.kept, h.size = nil, 0
	h.mu.Unlock()
	h.publish("reset", uuid.Nil, []byte(resetData))
}

// resetData is the data of the event that says that others were missed.
const resetData = `{"reason":"events were missed: read again what you show"}`

// liveTweet is a tweet in an event.
type liveTweet struct {
	ID           uuid.UUID       `json:"id"`       // of the row
	TweetID      string          `json:"tweet_id"` // the platform's
	Metrics      answers.Metrics `json:"metrics"`
	Velocity     *float64        `json:"engagement_velocity"`
	Tier         string          `json:"tier"`
	TierUpdated  bool            `json:"tier_updated"`
	LastUpdated  *time.Time      `json:"last_updated"`
	NextUpdateAt *time.Time      `json:"next_update_at"`
	Outcome      string          `json:"outcome"`
	Reason       string          `json:"reason,omitempty"`
}

// liveBatch is the data of an event: updates of one zone at the same moment.
type liveBatch struct {
	ZoneID uuid.UUID   `json:"zone_id"`
	Tweets []liveTweet `json:"tweets"`
}

// broadcast publishes an event of the queue, split by zone.
func (h *hub) broadcast(e queue.Event) error {
	if e.Kind != queue.EventUpdate {
		var about struct {
			ZoneID uuid.UUID `json:"zone_id"`
		}
		if err := json.Unmarshal(e.Data, &about); err != nil {
			return fmt.Errorf("read the zone of event %s: %w", e.Kind, err)
		}
		if about.ZoneID == uuid.Nil {
			about.ZoneID = everyZone
		}
		return h.encode(e.Kind, about.ZoneID, e.Data)
	}
	seen, err := queue.DecodeUpdates(e.Data)
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
		if t.Outcome == engagement.RequestUpdated {
			g.kind = "update"
		}
		b := batches[g]
		if b == nil {
			b = &liveBatch{ZoneID: t.ZoneID}
			batches[g] = b
			order = append(order, g)
		}
		b.Tweets = append(b.Tweets, liveTweet{
			t.RowID, t.TweetID, answers.MetricsOf(t.Metrics), t.Velocity, string(t.Tier), t.TierChanged,
			answers.TimeOrNull(t.At), answers.TimeOrNull(t.NextUpdateAt), string(t.Outcome), t.Reason,
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
