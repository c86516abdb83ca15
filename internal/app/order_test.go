package app_test

import (
	"testing"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/twitter"
)

// TestTheProviderThatIsAskedFirst has by hand, from the price lists, which of two providers
// charges less for a tweet that was not read on that day. The other one stays the fallback.
func TestTheProviderThatIsAskedFirst(t *testing.T) {
	t.Parallel()
	const twitterAPI, x, socialData = twitter.TwitterAPIName, twitter.XAPIName, twitter.SocialDataName
	for name, tt := range map[string]struct {
		prefer, first, second string
		tweetPrice            float64 // of the first; 0: by its list
		want                  string
		dayPass               bool
	}{
		"in order":                   {config.PreferOrder, x, twitterAPI, 0, x, true},
		"one":                        {config.PreferOrder, x, "", 0, x, true},
		"the second is cheaper":      {config.PreferCheaper, x, twitterAPI, 0, twitterAPI, false},
		"the first is":               {config.PreferCheaper, twitterAPI, x, 0, twitterAPI, false},
		"by little":                  {config.PreferCheaper, socialData, twitterAPI, 0, twitterAPI, false},
		"two keys":                   {config.PreferCheaper, x, x, 0, x, true},
		"X for less than the other":  {config.PreferCheaper, x, twitterAPI, 0.0001, x, true},
		"the other for more than X":  {config.PreferCheaper, twitterAPI, x, 0.01, x, true},
		"the other for as much as X": {config.PreferCheaper, twitterAPI, x, 0.005, twitterAPI, false},
	} {
		cfg := config.Config{Provider: config.Provider{Prefer: tt.prefer, Name: tt.first, Key: "one", Rate: 1, FallbackName: tt.second}}
		cfg.Cost.TweetPrice = tt.tweetPrice
		if tt.second != "" {
			cfg.Provider.FallbackKey, cfg.Provider.FallbackRate = "two", 2
		}
		got := app.InOrder(cfg)
		both := map[string]bool{string(got.Key): true, string(got.FallbackKey): true}
		if got.Name != tt.want || app.Price(cfg).DayPass != tt.dayPass {
			t.Errorf("%s: %s is asked first, want %s; charges by the day: %v", name, got.Name, tt.want, app.Price(cfg).DayPass)
		}
		if tt.second != "" && (!both["one"] || !both["two"] || got.Rate+got.FallbackRate != 3 || (got.Key == "two") != (got.Rate == 2)) {
			t.Errorf("%s: the other one is not the fallback: %+v", name, got)
		}
	}
}
