package twitter_test

import (
	"strings"
	"testing"

	"gorgone/twitter"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config twitter.Config
		says   string // "": it is right
	}{
		"only a key":         {twitter.Config{Key: "k"}, ""},
		"local double":       {twitter.Config{Key: "k", BaseURL: "http://localhost:8080"}, ""},
		"local double, IPv6": {twitter.Config{Key: "k", BaseURL: "http://[::1]:8080"}, ""},
		"plain HTTP allowed": {twitter.Config{Key: "k", BaseURL: "http://provider:8080", PlainHTTP: true}, ""},
		"no key":             {twitter.Config{}, "API key is empty"},
		"key with a space":   {twitter.Config{Key: "k "}, "characters"},
		"plain HTTP":         {twitter.Config{Key: "k", BaseURL: "http://provider:8080"}, "unencrypted"},
		"no scheme":          {twitter.Config{Key: "k", BaseURL: "api.x.com"}, "must be like https://"},
		"with a query":       {twitter.Config{Key: "k", BaseURL: "https://api.x.com?a=b"}, "query"},
		"too many ids":       {twitter.Config{Key: "k", MaxIDs: 101}, "1 to 100"},
		"negative time-out":  {twitter.Config{Key: "k", Timeout: -1}, "time-out"},
		"negative conns":     {twitter.Config{Key: "k", MaxConns: -1}, "connections"},
	} {
		_, err := twitter.NewTwitterAPI(c.config)
		_, errX := twitter.NewXAPI(twitter.XConfig{Config: c.config})
		for _, err := range []error{err, errX} {
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	_, err := twitter.NewTwitterAPI(twitter.Config{MaxIDs: -1, Timeout: -1})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all faults at once: %v", err)
	}
	if _, err := twitter.NewXAPI(twitter.XConfig{Config: twitter.Config{Key: "k"}, FieldsParam: "fields"}); err == nil {
		t.Error("any fields parameter is taken")
	}
}
