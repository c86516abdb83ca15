package config

import (
	"errors"
	"strings"
	"testing"

	"gorgone/twitter"
)

func TestFallbackIsValidated(t *testing.T) {
	t.Parallel()
	first := Provider{Name: twitter.TwitterAPIName, Key: "sk-FIRST-SECRET"}
	for name, tc := range map[string]struct {
		change func(*Provider)
		want   string // "": it is good
	}{
		"none": {func(*Provider) {}, ""},
		"a second provider": {func(c *Provider) {
			c.FallbackName, c.FallbackKey, c.FallbackRate = twitter.XAPIName, "sk-SECOND-SECRET", 3
		}, ""},
		"a second key":       {func(c *Provider) { c.FallbackName, c.FallbackKey = twitter.TwitterAPIName, "sk-SECOND-SECRET" }, ""},
		"no name":            {func(c *Provider) { c.FallbackKey = "sk-SECOND-SECRET" }, "TWITTER_FALLBACK_PROVIDER is not set"},
		"another name":       {func(c *Provider) { c.FallbackName, c.FallbackKey = "bird", "sk-SECOND-SECRET" }, "TWITTER_FALLBACK_PROVIDER is not one of"},
		"no key":             {func(c *Provider) { c.FallbackName = twitter.XAPIName }, "TWITTER_FALLBACK_API_KEY is not"},
		"nothing first":      {func(c *Provider) { c.Key, c.FallbackName, c.FallbackKey = "", twitter.XAPIName, "sk-SECOND-SECRET" }, "nothing to fall back from"},
		"the same again":     {func(c *Provider) { c.FallbackName, c.FallbackKey = c.Name, c.Key }, "it would fail with it"},
		"the cheaper of one": {func(c *Provider) { c.Prefer = PreferCheaper }, "there is one provider only"},
		"a bad rate":         {func(c *Provider) { c.FallbackName, c.FallbackKey, c.FallbackRate = twitter.XAPIName, "k", -1 }, "TWITTER_FALLBACK_RATE"},
		"too many ids":       {func(c *Provider) { c.FallbackName, c.FallbackKey, c.FallbackPerCall = twitter.XAPIName, "k", 101 }, "TWITTER_FALLBACK_IDS_PER_CALL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := first
			tc.change(&c)
			err := errors.Join(c.validateFallback()...)
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "SECRET")):
				t.Errorf("got %v, want %q and no key", err, tc.want)
			}
		})
	}
}
