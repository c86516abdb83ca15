package report_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/storetest"
)

func TestBatchProgress(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		e.TrackNew(t, 10)
		claimed := e.ClaimIn(t, 5)
		claims := []uuid.UUID{claimed.Batches[0].ClaimID, claimed.Batches[1].ClaimID}
		if p := storetest.Value(e.BatchProgress(t.Context(), claims))(t); p.Known != 2 || p.Open != 2 {
			t.Errorf("after the claim: %+v", p)
		}
		work := e.Found(claimed.Batches[0], 3)
		work.Results[4].Kind = store.Missing
		parts := store.Work{ClaimID: work.ClaimID, Results: work.Results[:2], Calls: []store.Calls{{Provider: "a", Count: 1, Time: 250 * time.Millisecond, Billed: 2}}}
		e.MustApply(t, parts)
		parts.Results, parts.Calls = work.Results[2:], []store.Calls{{Provider: "a", Count: 1, Time: 500 * time.Millisecond, Billed: 3}, {Provider: "b", Count: 1, Billed: 1}}
		e.MustApply(t, parts)
		p := storetest.Value(e.BatchProgress(t.Context(), claims))(t)
		if p.Open != 1 || p.Found != 4 || p.Missing != 1 || !reflect.DeepEqual(p.Calls, store.Calls{Count: 3, Time: 750 * time.Millisecond, Billed: 6}) {
			t.Errorf("after one batch: %+v", p)
		}
		e.Clock.Advance(storetest.Lease + time.Second)
		if p := storetest.Value(e.BatchProgress(t.Context(), claims))(t); p.Open != 0 || p.Abandoned != 5 {
			t.Errorf("after the storetest.Lease: %+v", p)
		}
	})
}
