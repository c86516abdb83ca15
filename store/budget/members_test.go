package budget_test

import (
	"testing"
	"time"

	"gorgone/store/budget"
	"gorgone/twitter"
)

// TestWhatAZoneSpentStaysItsClients: a client has no more for its zones by deleting them, or
// giving them away.
func TestWhatAZoneSpentStaysItsClients(t *testing.T) {
	t.Parallel()
	for name, rid := range map[string]string{
		"deleted":    `delete from zones where id = $1`,
		"given away": `with other as (insert into clients (id, name) values (gen_random_uuid(), 'other') returning id) update zones set client_id = (select id from other) where id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, twitter.TwitterAPIName, 2000)
			w.setClient(t, budget.Caps{Day: 1.00, Month: 1.50})
			billed := func() (sum float64) {
				for _, dollars := range w.billed(t) {
					sum += dollars
				}
				return sum
			}
			for n := range 4 {
				zone := w.zone(t, budget.Caps{}, 300*n, 40)
				w.Clock.Advance(time.Minute) // zones are read again
				w.runUntilDone(t, 100, 20, 1)
				w.Exec(t, rid, zone)
				w.Exec(t, `update twitter_engagement_tracking set next_update_at = null`) // of another client: not looked up
			}
			if sum := billed(); sum > 0.90+price || sum < 0.80 {
				t.Errorf("$%.2f were billed on a day whose cap is $1.00, of which a tenth is kept", sum)
			}
			// The next day there is another half a dollar of the month's cap.
			if err := closeBooks(t, w); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(24 * time.Hour)
			w.zone(t, budget.Caps{}, 1500, 200)
			w.Clock.Advance(time.Minute)
			w.runUntilDone(t, 100, 20, 1)
			if sum := billed(); sum > 1.35+price || sum < 1.20 {
				t.Errorf("$%.2f were billed of the month's cap of $1.50, of which a tenth is kept", sum)
			}
			if n := w.Count(t, `select count(*) from gorgone.client_zones where left_on is not null`); n != 4 {
				t.Errorf("%d zones are known to have left", n)
			}
			w.Clock.Advance(31 * 24 * time.Hour)
			if err := closeBooks(t, w); err != nil {
				t.Fatal(err)
			}
			if n := w.Count(t, `select count(*) from gorgone.client_zones where left_on is not null`); n != 0 {
				t.Errorf("%d zones that left long ago are still on record", n)
			}
		})
	}
}

func closeBooks(t *testing.T, w *world) error {
	t.Helper()
	_, err := w.s.CloseLedger(t.Context(), w.Clock.Now())
	return err
}
