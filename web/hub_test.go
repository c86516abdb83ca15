package web

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
	"gorgone/queue"
)

// TestHubKeepsSoMuch: neither many events nor large ones fill the memory, and who
// comes back to what is forgotten is told so.
func TestHubKeepsSoMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // readers come back at once, however long it takes
		for name, size := range map[string]int{"small": 10, "large": 700_000} {
			h := newHub("boot", 10)
			h.left = time.Now() // a moment ago
			for range maxKeptEvents + 100 {
				h.publish("update", uuid.New(), bytes.Repeat([]byte("x"), size))
				sum := 0
				for _, f := range h.kept {
					sum += len(f.text)
				}
				if sum != h.size || sum > maxKeptBytes || len(h.kept) > maxKeptEvents || len(h.kept) == 0 {
					t.Fatalf("%s: %d events of %d bytes are kept, counted as %d", name, len(h.kept), sum, h.size)
				}
			}
			if _, from, err := h.join(subscriber{}, nil, "boot_1"); from.complete || err != nil {
				t.Errorf("%s: the first event is not kept, without a word (%v)", name, err)
			}
			if _, from, err := h.join(subscriber{}, nil, "boot_2147"); !from.complete || len(from.missed) != 1 || err != nil {
				t.Errorf("%s: %d events after the last but one (%v)", name, len(from.missed), err)
			}
			h.gap()
			if _, from, err := h.join(subscriber{}, nil, "boot_2148"); !from.complete || len(from.missed) != 1 || err != nil {
				t.Errorf("%s: %d events after a gap (%v)", name, len(from.missed), err)
			}
			if _, from, err := h.join(subscriber{}, nil, "boot_2147"); from.complete || err != nil {
				t.Errorf("%s: what was missed is not told (%v)", name, err)
			}
		}
	})
}

// TestEventsThatWereNotRequestedAreMissed: a while after the last reader has left, updates
// are not requested, so those who come back may have missed some.
func TestEventsThatWereNotRequestedAreMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub("boot", 10)
		r, from, err := h.join(subscriber{}, nil, "")
		if err != nil || !from.complete || strings.Contains(string(from.greeting()), "reset") {
			t.Fatalf("%+v, %v", from, err)
		}
		h.leave(r)
		<-time.After(linger - time.Second)
		r, soon, err := h.join(subscriber{}, nil, from.id)
		if err != nil || !soon.complete {
			t.Errorf("back after a moment: %+v, %v", soon, err)
		}
		h.leave(r)
		<-time.After(linger)
		if _, other, err := h.join(subscriber{}, nil, ""); err != nil || !other.complete {
			t.Errorf("another: %+v, %v", other, err)
		}
		_, late, err := h.join(subscriber{}, nil, from.id)
		if err != nil || late.complete || !strings.Contains(string(late.greeting()), "reset") {
			t.Errorf("back after a while: %+v, %v", late, err)
		}
	})
}

// TestSignsOfLifeHaveAnID: what a reader comes back with stays known while its own zones
// are quiet, and is never later than what it was sent.
func TestSignsOfLifeHaveAnID(t *testing.T) {
	t.Parallel()
	h := newHub("boot", 10)
	own := uuid.New()
	r, _, err := h.join(subscriber{}, []uuid.UUID{own}, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 * maxKeptEvents {
		h.publish("update", uuid.New(), []byte("{}"))
	}
	_, id, _ := strings.Cut(strings.TrimSpace(string(h.signOfLife(r))), "id: ")
	if _, from, err := h.join(subscriber{}, []uuid.UUID{own}, id); err != nil || !from.complete || len(from.missed) != 0 {
		t.Errorf("back with %q: %+v, %v", id, from, err)
	}
	h.publish("update", own, []byte("{}"))
	if text := string(h.signOfLife(r)); strings.Contains(text, "id:") {
		t.Errorf("an event is still to be sent: %q", text)
	}
}

// TestPlaces: no user and no tenant takes the places of all others, and a tenth is left
// for services.
func TestPlaces(t *testing.T) {
	t.Parallel()
	h := newHub("boot", 200)
	fill := func(who func(i int) subscriber) (joined int) {
		for i := range 300 {
			if _, _, err := h.join(who(i), nil, ""); err != nil {
				return joined
			}
			joined++
		}
		return joined
	}
	one, tenant := uuid.NewString(), uuid.New()
	if n := fill(func(int) subscriber { return subscriber{user: one} }); n != maxStreamsPerUser {
		t.Errorf("a user has %d streams", n)
	}
	if n := fill(func(int) subscriber { return subscriber{uuid.NewString(), tenant} }); n != 45 {
		t.Errorf("the users of a client have %d streams, want a quarter of 180", n)
	}
	if n := fill(func(int) subscriber { return subscriber{uuid.NewString(), uuid.New()} }); n != 180-45-maxStreamsPerUser {
		t.Errorf("all other users have %d streams", n)
	}
	if n := fill(func(int) subscriber { return subscriber{} }); n != 20 {
		t.Errorf("%d places are left for services", n)
	}
}

// What is about all zones, like the budget of all, goes to those who read all zones only.
func TestAlertsAboutAllZones(t *testing.T) {
	t.Parallel()
	h := newHub("boot", 10)
	all, _, err := h.join(subscriber{}, nil, "")
	testkit.Must(t, err)
	some, _, err := h.join(subscriber{user: "jo"}, []uuid.UUID{uuid.New()}, "")
	testkit.Must(t, err)
	testkit.Must(t, h.broadcast(queue.Event{Kind: "alert", Data: []byte(`{"zone_id":"00000000-0000-0000-0000-000000000000","kind":"budget"}`)}))
	if len(all.frames) != 1 || len(some.frames) != 0 {
		t.Errorf("%d for who reads all zones, %d for who reads some", len(all.frames), len(some.frames))
	}
	if err := h.broadcast(queue.Event{Kind: "alert", Data: []byte(`{"zone_id":1}`)}); err == nil || len(all.frames) != 1 {
		t.Errorf("an event of no known form: %v", err)
	}
}
