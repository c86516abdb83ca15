package main

import (
	"errors"
	"strings"
	"testing"
)

func TestFallbackIsValidated(t *testing.T) {
	t.Parallel()
	first := providerConfig{Name: providerTwitterAPI, Key: "sk-FIRST-SECRET"}
	for name, tc := range map[string]struct {
		change func(*providerConfig)
		want   string // "": it is good
	}{
		"none": {func(*providerConfig) {}, ""},
		"a second provider": {func(c *providerConfig) {
			c.FallbackName, c.FallbackKey, c.FallbackRate = providerX, "sk-SECOND-SECRET", 3
		}, ""},
		"a second key":   {func(c *providerConfig) { c.FallbackName, c.FallbackKey = providerTwitterAPI, "sk-SECOND-SECRET" }, ""},
		"no name":        {func(c *providerConfig) { c.FallbackKey = "sk-SECOND-SECRET" }, "TWITTER_FALLBACK_PROVIDER is not set"},
		"another name":   {func(c *providerConfig) { c.FallbackName, c.FallbackKey = "bird", "sk-SECOND-SECRET" }, "TWITTER_FALLBACK_PROVIDER is not one of"},
		"no key":         {func(c *providerConfig) { c.FallbackName = providerX }, "TWITTER_FALLBACK_API_KEY is not"},
		"nothing first":  {func(c *providerConfig) { c.Key, c.FallbackName, c.FallbackKey = "", providerX, "sk-SECOND-SECRET" }, "nothing to fall back from"},
		"the same again": {func(c *providerConfig) { c.FallbackName, c.FallbackKey = c.Name, c.Key }, "it would fail with it"},
		"a bad rate":     {func(c *providerConfig) { c.FallbackName, c.FallbackKey, c.FallbackRate = providerX, "k", -1 }, "TWITTER_FALLBACK_RATE"},
		"too many ids":   {func(c *providerConfig) { c.FallbackName, c.FallbackKey, c.FallbackPerCall = providerX, "k", 101 }, "TWITTER_FALLBACK_IDS_PER_CALL"},
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
