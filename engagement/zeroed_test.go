package engagement_test

import (
	"errors"
	"slices"
	"testing"

	"gorgone/engagement"
)

// noViews are counts without the two that providers leave out.
func noViews(retweets, replies, likes, quotes int64) engagement.Metrics {
	m := counts(retweets, replies, likes, quotes, 0, 0)
	m.Views, m.Bookmarks = engagement.Count{}, engagement.Count{}
	return m
}

func TestFindZeroed(t *testing.T) {
	t.Parallel()
	var (
		zero    = counts(0, 0, 0, 0, 0, 0)
		unknown engagement.Metrics
		popular = counts(50, 5, 200, 3, 9000, 20)
		small   = counts(0, 0, 2, 0, 4, 0)
		noLikes = counts(50, 5, 0, 3, 9000, 20)
		noView  = counts(50, 5, 200, 3, 0, 20)
	)
	change := func(before, now engagement.Metrics) engagement.Change {
		return engagement.Change{Before: before, Now: now}
	}
	for name, tc := range map[string]struct {
		answer []engagement.Change
		any    bool
		of     engagement.Change // and what becomes of it
		want   engagement.Metrics
		zeroed bool
	}{
		"an honest answer": {slices.Repeat([]engagement.Change{change(popular, popular)}, 50), false, change(small, zero), zero, false},
		"all zero":         {slices.Repeat([]engagement.Change{change(popular, zero)}, 3), true, change(popular, zero), unknown, true},
		"all zero, a new tweet": {
			slices.Repeat([]engagement.Change{change(popular, zero)}, 3), true, change(unknown, zero), unknown, true,
		},
		"no likes as before, and views that cannot be read": {
			slices.Repeat([]engagement.Change{change(counts(0, 0, 0, 0, 900, 0), noViews(0, 0, 0, 0))}, 50), false,
			change(counts(0, 0, 0, 0, 900, 0), noViews(0, 0, 0, 0)), noViews(0, 0, 0, 0), false,
		},
		"alone, likes lost, and views that cannot be read": {
			nil, false, change(popular, noViews(0, 0, 0, 0)), unknown, true,
		},
		"all zero but one": {
			slices.Repeat([]engagement.Change{change(popular, zero)}, 3), true, change(popular, popular), popular, false,
		},
		"three of fifty": {
			append(slices.Repeat([]engagement.Change{change(popular, popular)}, 47), slices.Repeat([]engagement.Change{change(popular, zero)}, 3)...),
			true, change(small, zero), unknown, true,
		},
		"no likes anywhere": {
			slices.Repeat([]engagement.Change{change(popular, noLikes)}, 4), true, change(popular, noLikes),
			engagement.Metrics{Retweets: noLikes.Retweets, Replies: noLikes.Replies, Quotes: noLikes.Quotes, Views: noLikes.Views, Bookmarks: noLikes.Bookmarks},
			false,
		},
		"no views anywhere, a new tweet": {
			slices.Repeat([]engagement.Change{change(popular, noView)}, 3), true, change(unknown, noView),
			engagement.Metrics{Retweets: noView.Retweets, Replies: noView.Replies, Likes: noView.Likes, Quotes: noView.Quotes, Bookmarks: noView.Bookmarks},
			false,
		},
		"one like less each":    {slices.Repeat([]engagement.Change{change(noViews(1, 0, 1, 0), noViews(0, 0, 0, 0))}, 5), false, change(small, zero), zero, false},
		"a lone one":            {[]engagement.Change{change(popular, zero)}, false, change(popular, zero), unknown, true},
		"a lone one's likes":    {[]engagement.Change{change(popular, noLikes)}, false, change(popular, noLikes), noLikes, false},
		"one, and two unlikes":  {[]engagement.Change{change(popular, noLikes), change(counts(9, 0, 1, 0, 50, 0), counts(9, 0, 0, 0, 50, 0)), change(counts(9, 0, 1, 0, 50, 0), counts(9, 0, 0, 0, 50, 0))}, false, change(popular, noLikes), noLikes, false},
		"nothing to go by":      {slices.Repeat([]engagement.Change{change(unknown, zero)}, 50), false, change(unknown, zero), zero, false},
		"an answer of no count": {nil, false, change(popular, unknown), unknown, false},
	} {
		z := engagement.FindZeroed(tc.answer)
		if z.Any() != tc.any {
			t.Errorf("%s: a fault: %v, want %v", name, z.Any(), tc.any)
		}
		got, err := z.Clean(tc.of)
		if errors.Is(err, engagement.ErrZeroed) != tc.zeroed || got != tc.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, tc.want)
		}
	}
}
