package engagement_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestCountTellsAbsentFromZero(t *testing.T) {
	t.Parallel()
	zero := engagement.Known(0)
	if n, known := zero.Get(); n != 0 || !known {
		t.Errorf("Known(0).Get() = %d, %v", n, known)
	}
	var absent engagement.Count
	if _, known := absent.Get(); known {
		t.Error("the zero Count is known")
	}
	if got := absent.Or(engagement.Known(7)); got != engagement.Known(7) {
		t.Errorf("absent.Or(7) = %v", got)
	}
	if got := zero.Or(engagement.Known(7)); got != zero {
		t.Errorf("0.Or(7) = %v", got)
	}
	if got := engagement.Known(5).Minus(absent); got.Known() {
		t.Errorf("5 - absent = %v, want absent", got)
	}
}

func TestCountJSONRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := count(rapid.Int64()).Draw(t, "count")
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got engagement.Count
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%s decoded to %v, want %v", data, got, want)
		}
	})
	for _, bad := range []string{`"7"`, `1.5`, `1e3`, `true`, `99999999999999999999`} {
		var c engagement.Count
		if err := json.Unmarshal([]byte(bad), &c); err == nil {
			t.Errorf("%s decoded to %v, want an error", bad, c)
		}
	}
}

func TestMetricsValidate(t *testing.T) {
	t.Parallel()
	k := engagement.Known
	for name, tc := range map[string]struct {
		metrics engagement.Metrics
		ok      bool
	}{
		"nothing known":    {engagement.Metrics{}, true},
		"largest":          {engagement.Metrics{Views: k(math.MaxInt32), Likes: k(math.MaxInt32)}, true},
		"views too large":  {engagement.Metrics{Views: k(3e9)}, false},
		"negative":         {engagement.Metrics{Quotes: k(-1)}, false},
		"total too large":  {engagement.Metrics{Likes: k(math.MaxInt32), Replies: k(1)}, false},
		"views not summed": {engagement.Metrics{Likes: k(math.MaxInt32), Views: k(1), Bookmarks: k(1)}, true},
	} {
		err := tc.metrics.Validate()
		if tc.ok && err != nil || !tc.ok && !errors.Is(err, engagement.ErrOutOfRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// count draws a Count that is absent one time in a few.
func count(values *rapid.Generator[int64]) *rapid.Generator[engagement.Count] {
	return rapid.Custom(func(t *rapid.T) engagement.Count {
		if rapid.IntRange(0, 4).Draw(t, "absent") == 0 {
			return engagement.Count{}
		}
		return engagement.Known(values.Draw(t, "value"))
	})
}

// metrics draws counts that fit the database.
func metrics() *rapid.Generator[engagement.Metrics] {
	c := count(rapid.Int64Range(0, engagement.MaxCount/4))
	return rapid.Custom(func(t *rapid.T) engagement.Metrics {
		return engagement.Metrics{
			Retweets:  c.Draw(t, "retweets"),
			Replies:   c.Draw(t, "replies"),
			Likes:     c.Draw(t, "likes"),
			Quotes:    c.Draw(t, "quotes"),
			Views:     c.Draw(t, "views"),
			Bookmarks: c.Draw(t, "bookmarks"),
		}
	})
}
