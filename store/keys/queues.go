package keys

import "github.com/google/uuid"

// A batch is looked up by one key. So what is due is claimed key by key: a tweet that is in
// zones of several keys is looked up by each, and each pays for its own. The number of tweets
// that may be outstanding is each key's own, so a slow or stopped key holds no other up.
// Where no client has a key, there is one queue, of all zones.

// State is what may be claimed to be looked up by a key.
type State struct {
	Stopped string // why nothing may be; "": something may
	Window  int    // tweets that may be outstanding; of a client's own key only
	Batch   int    // most tweets a batch; likewise
}

// Queue is what one claim takes for one key.
type Queue struct {
	Key   uuid.UUID
	Want  int // most tweets
	Batch int // most tweets a batch
	Zones []uuid.UUID
}

// Queues are the queues of one claim.
type Queues struct {
	Shared      *Queue // nil: nothing may be claimed for the shared key
	why         string // that is so
	Own         []*Queue
	Outstanding map[uuid.UUID]int // tweets, by client

	zones  Zones
	states map[uuid.UUID]State // of clients' keys that may be used
}

// NewQueues returns the queues of a claim in batches of so many tweets. state tells of each key
// what may be claimed; nil: no client's own key can be used.
func NewQueues(zones Zones, batchTweets int, state func(client uuid.UUID) State) *Queues {
	q := &Queues{Shared: &Queue{Key: Shared, Batch: batchTweets}, zones: zones}
	if state == nil {
		return q
	}
	if why := state(Shared).Stopped; why != "" {
		q.StopShared(why)
	}
	if len(zones) == 0 {
		return q
	}
	q.Outstanding, q.states = make(map[uuid.UUID]int), make(map[uuid.UUID]State)
	for _, client := range zones.Clients() {
		if own := state(client); own.Stopped == "" {
			q.states[client] = own
			q.Own = append(q.Own, &Queue{Key: client, Batch: min(max(own.Batch, 1), batchTweets)})
		}
	}
	return q
}

// StopShared keeps anything from being claimed for the shared key.
func (q *Queues) StopShared(why string) {
	if q.why == "" {
		q.why = why
	}
}

// Closed says why nothing may be claimed at all; "" when something may be.
func (q *Queues) Closed() string {
	if len(q.Own) > 0 {
		return ""
	}
	return q.why
}

// keyOf returns whose key looks a zone up now; ok is false when none may.
func (q *Queues) keyOf(zone uuid.UUID) (key uuid.UUID, ok bool) {
	return q.zones.KeyOf(zone, func(client uuid.UUID) bool {
		_, usable := q.states[client]
		return usable
	})
}

// Has reports whether a zone is in a queue.
func (q *Queues) Has(of *Queue, zone uuid.UUID) bool {
	key, ok := q.keyOf(zone)
	return ok && key == of.Key
}

// Assign gives each queue its zones, and those of clients' keys how much they want.
func (q *Queues) Assign(zones []uuid.UUID) {
	if len(q.zones) == 0 {
		q.Shared.Zones = zones
		return
	}
	for _, zone := range zones {
		for _, of := range q.All() {
			if q.Has(of, zone) {
				of.Zones = append(of.Zones, zone)
			}
		}
	}
	for _, of := range q.Own {
		of.Want = max(q.states[of.Key].Window-q.Outstanding[of.Key], 0)
	}
}

// All returns the queues that something may be claimed for.
func (q *Queues) All() []*Queue {
	if q.why != "" {
		return q.Own
	}
	return append([]*Queue{q.Shared}, q.Own...)
}
