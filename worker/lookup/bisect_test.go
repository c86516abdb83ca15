package lookup

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gorgone/twitter"
)

// ask plays the provider that refuses every call with a bad id in it, and
// returns which tweets were answered, which were given up, and the calls made.
func ask(ids []string, bad map[string]bool) (answered, givenUp []string, calls int) {
	refusal := error(&twitter.BadRequestError{Status: 400})
	todo := newBisection(ids)
	for {
		g, ok := todo.next()
		if !ok {
			return answered, givenUp, calls
		}
		calls++
		refused := slices.ContainsFunc(g.ids, func(id string) bool { return bad[id] })
		switch {
		case !refused:
			answered = append(answered, g.ids...)
			givenUp = append(givenUp, todo.answered(g)...)
		case len(g.ids) == 1:
			todo.failed(g)
			givenUp = append(givenUp, g.ids...)
		default:
			givenUp = append(givenUp, todo.split(g, g.ids, refusal)...)
		}
	}
}

func TestOneBadTweetIsFoundInFewCalls(t *testing.T) {
	t.Parallel()
	for n := 2; n <= 200; n++ {
		ids := numbered(n)
		for _, bad := range ids {
			answered, givenUp, calls := ask(ids, map[string]bool{bad: true})
			if !slices.Equal(givenUp, []string{bad}) || len(answered) != n-1 {
				t.Fatalf("%d tweets, %s is bad: gave up %v, answered %d", n, bad, givenUp, len(answered))
			}
			if extra := float64(calls - 1); extra > 2*math.Log2(float64(n)) {
				t.Fatalf("%d tweets, %s is bad: %v extra calls, want at most %.1f", n, bad, extra, 2*math.Log2(float64(n)))
			}
		}
	}
}

func TestEveryTweetIsAnsweredOrGivenUpOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := numbered(rapid.IntRange(1, 200).Draw(t, "tweets"))
		bad := make(map[string]bool)
		for range rapid.IntRange(0, 12).Draw(t, "bad") {
			bad[rapid.SampledFrom(ids).Draw(t, "bad")] = true
		}
		answered, givenUp, calls := ask(ids, bad)
		all := slices.Concat(answered, givenUp)
		slices.Sort(all)
		want := slices.Sorted(slices.Values(ids))
		if !slices.Equal(all, want) {
			t.Fatalf("answered or given up %v, want each of %v once", all, want)
		}
		for _, id := range answered {
			if bad[id] {
				t.Fatalf("%s is bad and was answered", id)
			}
		}
		if len(bad) <= culprits && len(givenUp) != len(bad) {
			t.Fatalf("gave up %v for %d bad tweets", givenUp, len(bad))
		}
		if calls > 4*len(ids) {
			t.Fatalf("%d calls for %d tweets", calls, len(ids))
		}
	})
}

func TestAProviderThatRefusesEverythingIsNotAskedForEachTweet(t *testing.T) {
	t.Parallel()
	ids := numbered(100)
	bad := make(map[string]bool)
	for _, id := range ids {
		bad[id] = true
	}
	if _, givenUp, calls := ask(ids, bad); len(givenUp) != 100 || calls > 60 {
		t.Errorf("gave up %d of 100 after %d calls", len(givenUp), calls)
	}
}

func numbered(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%03d", i)
	}
	return ids
}
