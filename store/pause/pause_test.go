package pause_test

import (
	"testing"
	"time"

	"gorgone/internal/testkit"
	"gorgone/store/pause"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestPauses(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPooled)
	pauses := pause.New(e.DB, e.Clock)
	watch, err := pauses.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set := func(lane pause.Lane, until time.Time) {
		t.Helper()
		if err := pauses.Set(t.Context(), pause.Pause{Lane: lane, Until: until, Reason: "why", By: "me"}); err != nil {
			t.Fatal(err)
		}
	}
	list := func() []pause.Pause {
		t.Helper()
		list, err := pauses.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	set(pause.Batches, time.Time{})
	set(pause.Refreshes, storetest.Epoch().Add(time.Hour))
	if got := list(); len(got) != 2 || got[0] != (pause.Pause{Lane: pause.Batches, Reason: "why", By: "me", At: storetest.Epoch()}) || !got[1].Until.Equal(storetest.Epoch().Add(time.Hour)) {
		t.Errorf("%+v", got)
	}
	if _, paused := watch.Paused(pause.Batches); paused {
		t.Error("the watch knows before it has read")
	}
	watch, err = pauses.Watch(t.Context()) // another process
	if err != nil {
		t.Fatal(err)
	}
	if p, paused := watch.Paused(pause.Batches); !paused || p.String() != "batches are paused by me until they are resumed: why" {
		t.Errorf("%v %v", p, paused)
	}
	e.Clock.Advance(61 * time.Minute)
	if _, paused := watch.Paused(pause.Refreshes); paused || len(list()) != 1 {
		t.Errorf("a pause that is over is in force: %+v", list())
	}
	for i, want := range []bool{true, false} {
		if was, err := pauses.Resume(t.Context(), pause.Batches); err != nil || was != want {
			t.Errorf("resume %d: %v, %v", i+1, was, err)
		}
	}
}
