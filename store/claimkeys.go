package store

import (
	"github.com/google/uuid"

	"gorgone/store/keys"
)

// A batch is looked up by one key. So what is due is claimed key by key: a tweet that is in
// zones of several keys is looked up by each, and each pays for its own. The number of tweets
// that may be outstanding is each key's own, so a slow or stopped key holds nobody else up.
// Where no client has a key, there is one queue, of all zones.

// claimQueue is what one claim takes for one key.
type claimQueue struct {
	key    uuid.UUID
	want   int // most tweets
	batch  int // most tweets a batch
	zones  []uuid.UUID
	tweets []*dueTweet // taken
}

// claimQueues are the queues of one claim.
type claimQueues struct {
	shared      *claimQueue // nil: nothing may be claimed for the shared key
	why         string      // that is so
	own         []*claimQueue
	outstanding map[uuid.UUID]int // tweets, by client

	zones  keys.Zones
	states map[uuid.UUID]KeyState // of clients' keys that may be used
}

func newClaimQueues(zones keys.Zones, req ClaimRequest) *claimQueues {
	q := &claimQueues{shared: &claimQueue{key: keys.Shared, batch: req.BatchTweets}, zones: zones}
	if req.Key == nil { // no client's key can be used
		return q
	}
	if why := req.Key(keys.Shared).Stopped; why != "" {
		q.stopShared(why)
	}
	if len(zones) == 0 {
		return q
	}
	q.outstanding, q.states = make(map[uuid.UUID]int), make(map[uuid.UUID]KeyState)
	for _, client := range zones.Clients() {
		if state := req.Key(client); state.Stopped == "" {
			q.states[client] = state
			q.own = append(q.own, &claimQueue{key: client, batch: min(max(state.Batch, 1), req.BatchTweets)})
		}
	}
	return q
}

// stopShared keeps anything from being claimed for the shared key.
func (q *claimQueues) stopShared(why string) {
	if q.why == "" {
		q.why = why
	}
}

// closed says why nothing may be claimed at all; "" when something may be.
func (q *claimQueues) closed() string {
	if len(q.own) > 0 {
		return ""
	}
	return q.why
}

// keyOf returns whose key looks a zone up now; ok is false when none may.
func (q *claimQueues) keyOf(zone uuid.UUID) (key uuid.UUID, ok bool) {
	return q.zones.KeyOf(zone, func(client uuid.UUID) bool {
		_, usable := q.states[client]
		return usable
	})
}

func (q *claimQueues) has(of *claimQueue, zone uuid.UUID) bool {
	key, ok := q.keyOf(zone)
	return ok && key == of.key
}

// assign gives each queue its zones, and those of clients' keys how much they want.
func (q *claimQueues) assign(zones []uuid.UUID) {
	if len(q.zones) == 0 {
		q.shared.zones = zones
		return
	}
	for _, zone := range zones {
		for _, of := range q.all() {
			if q.has(of, zone) {
				of.zones = append(of.zones, zone)
			}
		}
	}
	for _, of := range q.own {
		of.want = max(q.states[of.key].Window-q.outstanding[of.key], 0)
	}
}

// all returns the queues that something may be claimed for.
func (q *claimQueues) all() []*claimQueue {
	if q.why != "" {
		return q.own
	}
	return append([]*claimQueue{q.shared}, q.own...)
}
