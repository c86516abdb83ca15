package drill

import (
	"strings"
	"testing"
	"time"

	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

// TestLedgerByTheDay: of a provider that charges for a tweet once a UTC day, the ledger must have
// what came whole on each day, whichever answer was charged for, and nothing twice.
func TestLedgerByTheDay(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	call := func(at time.Duration, fault fakeprovider.Fault, billed int, ids ...string) fakeprovider.Record {
		return fakeprovider.Record{
			Started: midnight.Add(at / speed), At: midnight.Add(at), Key: "k", Path: "/2/tweets", Status: 200, Fault: fault,
			IDs: ids, Returned: len(ids), Billed: billed * creditsPerTweet,
		}
	}
	const early, late = -3 * time.Hour, 3 * time.Hour
	calls := []fakeprovider.Record{
		call(early, fakeprovider.CutBody, 3, "1", "2", "3"),
		call(early+time.Hour, "", 0, "1", "2"), // the engine hears of two of them
		call(-time.Minute, "", 1, "4"),         // of this day, or the next by a clock that is ahead
		call(late, "", 3, "1", "2", "4"),
		call(late+time.Hour, "", 0, "1", "2", "4"),
	}
	for ledger, says := range map[float64]string{
		4: "5 were in answers", 5: "that is 16.67% apart, of which what disturbed them explains 0.00%", 6: "", 7: "that is 16.67% apart", 9: "at most 7",
	} {
		f := &facts{Options: Options{Provider: twitter.XAPIName}, calls: calls, ledger: ledger}
		v := checkLedger(f)
		if got := strings.Join(v.details, "\n"); says == "" && got != "" || !strings.Contains(got, says) {
			t.Errorf("a ledger of %.0f: %s %q, want %q", ledger, v.counts, got, says)
		}
	}
	// Apart by more than lost answers explain, though within the doubt about the day.
	many := make([]string, 40)
	for i := range many {
		many[i] = strings.Repeat("9", i+1)
	}
	f := &facts{Options: Options{Provider: twitter.XAPIName}, ledger: 80, calls: []fakeprovider.Record{
		call(-time.Minute, "", 40, many...), call(time.Minute, "", 40, many...), call(late, "", 0, many...),
	}}
	if v := checkLedger(f); len(v.details) != 0 {
		t.Errorf("%s %q", v.counts, v.details)
	}
	f.ledger = 60
	if v := checkLedger(f); len(v.details) != 1 || !strings.Contains(v.details[0], "that is 25.00% apart, of which what disturbed them explains 0.00%") {
		t.Errorf("%s %q", v.counts, v.details)
	}
}
