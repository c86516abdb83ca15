package worker_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"gorgone/internal/testkit"
	"gorgone/store"
)

// TestImplausibleAnswersAreNotBelieved: counts of all tweets halved, a thousandfold or
// another tweet's are not written, so that no alert follows from them; the next honest
// answer is.
func TestImplausibleAnswersAreNotBelieved(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`"(\w+Count)":(\d+)`)
	times := func(factor float64, of string) func(string) string {
		return func(body string) string {
			return number.ReplaceAllStringFunc(body, func(s string) string {
				name, value, _ := strings.Cut(s, ":")
				n, _ := strconv.ParseFloat(value, 64)
				if !strings.Contains(name, of) {
					return s
				}
				return name + ":" + strconv.FormatInt(int64(min(n*factor, 400_000_000)), 10)
			})
		}
	}
	ids := regexp.MustCompile(`"id":"(\d{18,19})"`)
	shuffled := func(body string, known map[string]bool) string {
		found := slices.DeleteFunc(ids.FindAllString(body, -1), func(id string) bool { return !known[id] })
		i := 0
		return ids.ReplaceAllStringFunc(body, func(id string) string {
			if !known[id] {
				return id // an author's
			}
			i++
			return found[i%len(found)]
		})
	}
	for name, change := range map[string]func(body string, known map[string]bool) string{
		"likes halved": func(body string, _ map[string]bool) string { return times(0.5, "like")(body) },
		"all x 1000":   func(body string, _ map[string]bool) string { return times(1000, "Count")(body) },
		"shuffled":     shuffled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 50})
			known := make(map[string]bool)
			for _, id := range e.track() {
				known[`"id":"`+id+`"`] = true
			}
			var wrong atomic.Bool
			e.rewritten(func(body string) string {
				if wrong.Load() {
					return change(body, known)
				}
				return body
			})
			e.run(e.worker(workerOptions{}))
			e.dispatch()
			e.eventually("tweets updated once", updatedOnce, 50)
			const total = `select sum(like_count + view_count + retweet_count)::int from twitter_tweets`
			before := e.count(total)
			again := func() {
				_, err := e.store.ForceDue(t.Context(), store.DueFilter{})
				testkit.Must(t, err)
				e.dispatch()
			}
			wrong.Store(true)
			again()
			e.eventually("tweets that back off", `select count(*) from twitter_engagement_tracking where attempts = 1 and update_count = 1`, 50)
			if after := e.count(total); after != before {
				t.Errorf("counts of %d became %d", before, after)
			}
			if n := e.count(`select sum(odd_counts)::int from gorgone.batches`); n != 50 {
				t.Errorf("%d tweets with counts that are not believed are known", n)
			}
			wrong.Store(false)
			again()
			e.eventually("tweets updated again", `select count(*) from twitter_engagement_tracking where attempts = 0 and update_count = 2`, 50)
			if after := e.count(total); after < before {
				t.Errorf("counts of %d became %d", before, after)
			}
		})
	}
}
