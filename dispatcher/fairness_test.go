package dispatcher_test

import (
	"testing"
	"time"

	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
)

// TestAZoneWithManyDueDelaysNoOther has 100,000 tweets due in one zone, and ten
// that fell due after them in another: the ten are in the first dispatch.
func TestAZoneWithManyDueDelaysNoOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 0, queue.Config{})
	large, err := h.store.CreateZone(t.Context(), store.Zone{Name: "large"})
	testkit.Must(t, err)
	small, err := h.store.CreateZone(t.Context(), store.Zone{Name: "small"})
	testkit.Must(t, err)
	insert := func(zone store.Zone, first, n int, due time.Time) {
		t.Helper()
		// As the product does it: the rows do not say which zone they are in.
		_, err := h.sql.Exec(t.Context(), `
			with made as (
				insert into twitter_tweets (zone_id, tweet_id, text, twitter_created_at, raw_data)
				select $1, ($2::int + i)::text, '', $4::timestamptz, '{}' from generate_series(1, $3::int) i returning id)
			insert into twitter_engagement_tracking (tweet_db_id, tier, next_update_at) select id, 'ultra_hot', $4 from made`,
			zone.ID, first, n, due)
		testkit.Must(t, err)
	}
	insert(large, 1_000_000, 100_000, h.clock.Now().Add(-time.Hour))
	insert(small, 2_000_000, 10, h.clock.Now().Add(-time.Second))

	r, err := h.dispatcher().DispatchOnce(t.Context(), 0)
	testkit.Must(t, err)
	var claimed int
	testkit.Must(t, h.sql.QueryRow(t.Context(), `select count(*) from twitter_engagement_tracking where zone_id = $1 and claim_id is not null`, small.ID).Scan(&claimed))
	if claimed != 10 {
		t.Errorf("%d of the small zone's ten tweets are dispatched", claimed)
	}
	if r.Tweets != 1000 || !r.MoreDue { // as many as may be outstanding
		t.Errorf("dispatched %+v", r)
	}
}
