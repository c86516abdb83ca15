package store_test

import (
	"testing"
	"time"

	"gorgone/store"
)

func TestPauses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, store.ExecPooled)
	watch, err := e.WatchPauses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pause := func(lane store.PauseLane, until time.Time) {
		t.Helper()
		if err := e.SetPause(t.Context(), store.Pause{Lane: lane, Until: until, Reason: "why", By: "me"}); err != nil {
			t.Fatal(err)
		}
	}
	list := func() []store.Pause {
		t.Helper()
		list, err := e.Pauses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	pause(store.PauseBatches, time.Time{})
	pause(store.PauseRefreshes, epoch.Add(time.Hour))
	if got := list(); len(got) != 2 || got[0] != (store.Pause{Lane: store.PauseBatches, Reason: "why", By: "me", At: epoch}) || !got[1].Until.Equal(epoch.Add(time.Hour)) {
		t.Errorf("%+v", got)
	}
	if _, paused := watch.Paused(store.PauseBatches); paused {
		t.Error("the watch knows before it has read")
	}
	watch, err = e.WatchPauses(t.Context()) // another process
	if err != nil {
		t.Fatal(err)
	}
	if p, paused := watch.Paused(store.PauseBatches); !paused || p.String() != "batches are paused by me until somebody resumes them: why" {
		t.Errorf("%v %v", p, paused)
	}
	e.clock.advance(61 * time.Minute)
	if _, paused := watch.Paused(store.PauseRefreshes); paused || len(list()) != 1 {
		t.Errorf("a pause that is over is in force: %+v", list())
	}
	for i, want := range []bool{true, false} {
		if was, err := e.Resume(t.Context(), store.PauseBatches); err != nil || was != want {
			t.Errorf("resume %d: %v, %v", i+1, was, err)
		}
	}
}
