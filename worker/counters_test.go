package worker_test

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/throttle"
)

// lockedBuffer is written to by a worker and read by its test.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) count(s string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), s)
}

// TestACounterThatCannotBeReadKeepsItsValue: the others of its tweet are written, people
// are told once, and the provider is called on.
func TestACounterThatCannotBeReadKeepsItsValue(t *testing.T) {
	t.Parallel()
	for _, counter := range []struct{ member, column, other, otherColumn string }{
		{"viewCount", "view_count", "likeCount", "like_count"}, {"likeCount", "like_count", "viewCount", "view_count"},
	} {
		for _, form := range []string{`[0]`, `{"count":"12"}`, `-1`, `1.5`, `99999999999`, `"1.2K"`, `true`, `""`} {
			t.Run(counter.member+" "+form, func(t *testing.T) {
				t.Parallel()
				e := newEngine(t, engineOptions{tweets: 60})
				e.track()
				var odd atomic.Bool
				e.rewritten(func(body string) string {
					if !odd.Load() {
						return body
					}
					body = regexp.MustCompile(`"`+counter.member+`":\d+`).ReplaceAllString(body, `"`+counter.member+`":`+form)
					return regexp.MustCompile(`"`+counter.other+`":\d+`).ReplaceAllStringFunc(body, func(s string) string {
						name, number, _ := strings.Cut(s, ":")
						n, _ := strconv.Atoi(number)
						return name + ":" + strconv.Itoa(n+3)
					})
				})
				watcher := e.ground.Source(t, "watcher", "test", 0, breakerRest)
				said := new(lockedBuffer)
				e.run(e.worker(workerOptions{log: said}))
				e.dispatch()
				e.eventually("tweets updated once", updatedOnce, 60)
				sums := `select sum(` + counter.column + `)::int from twitter_tweets`
				others := `select sum(` + counter.otherColumn + `)::int from twitter_tweets`
				before, otherBefore := e.count(sums), e.count(others)

				odd.Store(true)
				for n := 2; n <= 3; n++ {
					_, err := e.store.ForceDue(t.Context(), store.DueFilter{})
					testkit.Must(t, err)
					e.dispatch()
					e.eventually("look-ups", `select count(*) from twitter_engagement_tracking where update_count = $1 and attempts = 0`, 60, n)
				}
				if after, other := e.count(sums), e.count(others); after != before || other < otherBefore+3*60 {
					t.Errorf("%s is %d after %d, and %s %d after %d", counter.column, after, before, counter.otherColumn, other, otherBefore)
				}
				if n := said.count("cannot be read"); n != 1 {
					t.Errorf("people were told %d times", n)
				}
				if n := e.count(`select sum(odd_counts)::int from gorgone.batches`); n != 120 {
					t.Errorf("%d tweets with odd counters are known, want 120", n)
				}
				if state := watcher.Breaker.Status().State; state != throttle.BreakerClosed {
					t.Errorf("the breaker is %s", state)
				}
			})
		}
	}
}
