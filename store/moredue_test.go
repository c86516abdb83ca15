package store_test

import (
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"gorgone/store"
	"gorgone/store/postgres"
)

// TestMoreDueTellsWhetherAnythingIsLeft claims with limits and allowances of all sizes,
// 0 included, from zones with and without something due: afterwards MoreDue says whether
// the table still has an unclaimed due row. A claim that took exactly what there
// was may promise more, which costs the next claim and no more.
func TestMoreDueTellsWhetherAnythingIsLeft(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPooled)
	zones := []uuid.UUID{e.zone, e.newZone(t), e.newZone(t)}
	for z, zone := range zones {
		e.trackIn(t, zone, newTweets(epoch.Add(-lease), 30*(z+1)))
	}
	const left = `select count(*) from twitter_engagement_tracking where next_update_at <= $1 and claim_id is null`
	rapid.Check(t, func(rt *rapid.T) {
		e.exec(t, `update twitter_engagement_tracking set claim_id = null, claimed_until = null, next_update_at = $1`, epoch.Add(-lease))
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1 where zone_id = $2`,
			epoch.Add(lease), rapid.SampledFrom(append(zones, uuid.Nil)).Draw(rt, "zone without anything due"))
		for range rapid.IntRange(1, 4).Draw(rt, "claims") {
			allowed := rapid.SampledFrom([]int{0, 1, 7, 40, 60, 1000}).Draw(rt, "allowance")
			claimed, err := e.Claim(t.Context(), store.ClaimRequest{
				Tweets: rapid.SampledFrom([]int{1, 50, 1000}).Draw(rt, "tweets"), BatchTweets: 100, BatchRows: 100, Lease: lease,
				Allowance: func(store.Outstanding) int { return allowed },
			})
			if err != nil {
				rt.Fatal(err)
			}
			switch n := e.count(t, left, epoch); {
			case n > 0 && !claimed.MoreDue:
				rt.Fatalf("%d due rows were left, and the claim says none: %+v", n, claimed)
			case n == 0 && claimed.MoreDue && claimed.Tweets == 0:
				rt.Fatalf("nothing was left, and the claim says so without having taken anything: %+v", claimed)
			}
		}
	})
}
