package lookup

import (
	"testing"
	"time"

	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
)

// TestSignalsOfABelievedAnswer: what an answer tells beside is passed on, marked and free; nothing
// of an answer that is at fault is.
func TestSignalsOfABelievedAnswer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	answer := twitter.Answer{
		Provider: "p", Calls: 1, Billed: 1, Found: []twitter.Found{{ID: "1", At: at}},
		Embedded: []twitter.Embedded{{ID: "20", At: at}},
	}
	call := planned{group: group{ids: []string{"1"}}, order: []string{"1"}}
	good := newResponse(call, assessed{Answer: answer}, nil)
	bad := newResponse(call, assessed{Answer: answer, unusable: 1, proven: true}, nil)
	got := known([]response{bad, good}, queue.ClassBatch, newBisection(nil), nil)
	if len(got.Signals) != 1 {
		t.Fatalf("%+v", got.Signals)
	}
	s := got.Signals[0]
	if s.TweetID != "20" || s.Kind != store.Found || s.Call != 2 || !s.Observation.Pushed || !s.Observation.At.Equal(at) || s.Observation.Provider != "p" {
		t.Errorf("%+v", s)
	}
	billed := 0
	for _, u := range got.Usage {
		billed += u.Billed
	}
	if billed != 2 {
		t.Errorf("billed %d, want the two that were asked for", billed)
	}
}
