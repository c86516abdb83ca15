package twitter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRefusal(t *testing.T) {
	t.Parallel()
	const html = "<html><body>502 Bad Gateway</body></html>"
	for name, c := range map[string]struct {
		x      bool
		status int
		body   string
		kind   string
		says   string
	}{
		"limit of ids":              {false, 400, `{"detail":"max 50 tweet_ids per request, please batch into multiple calls"}`, KindBadRequest, "max 50 tweet_ids"},
		"wrong key":                 {false, 401, `{"error":"Unauthorized","message":"API key is invalid"}`, KindUnauthorized, "API key is invalid"},
		"no credit":                 {false, 402, `{"error":"Unauthorized","message":"Credits is not enough.Please recharge"}`, KindOutOfCredit, "Credits is not enough"},
		"no key":                    {false, 403, `{"error":"Forbidden","message":"API key required"}`, KindUnauthorized, "API key required"},
		"wrong path":                {false, 404, `{"detail":"Not Found"}`, KindBadRequest, "Not Found"},
		"missing parameter":         {false, 422, `{"detail":[{"type":"missing","loc":["query","tweet_ids"],"msg":"Field required"},{"msg":"and more"}]}`, KindBadRequest, "tweet_ids: Field required; and more"},
		"too many calls":            {false, 429, `{"error":"Too Many Requests","message":"one request every 5 seconds"}`, KindRateLimited, "every 5 seconds"},
		"too slow":                  {false, 408, ``, KindFault, "no message"},
		"bad gateway":               {false, 502, html, KindFault, "a node in front of it"},
		"msg":                       {false, 500, `{"status":"error","msg":"boom"}`, KindFault, "boom"},
		"redirect":                  {false, 302, ``, KindFault, "redirect"},
		"created":                   {false, 201, ``, KindMalformed, "201"},
		"bounded":                   {false, 400, `{"detail":"` + strings.Repeat("é", 500) + `"}`, KindBadRequest, "é..."},
		"on one line":               {false, 400, `{"detail":"a\nb\u0007c"}`, KindBadRequest, "a b c"},
		"deep nonsense":             {false, 400, strings.Repeat("[", 9000) + strings.Repeat("]", 9000), KindBadRequest, "no message"},
		"X: wrong token":            {true, 401, `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`, KindUnauthorized, "Unauthorized"},
		"X: legacy errors":          {true, 403, `{"errors":[{"code":453,"message":"a subset of endpoints"}]}`, KindUnauthorized, "a subset of endpoints"},
		"X: too many calls":         {true, 429, `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`, KindRateLimited, "Too Many Requests"},
		"X: used-up cap":            {true, 429, `{"title":"UsageCapExceeded","period":"Monthly","detail":"Usage cap exceeded: Monthly product cap","type":"https://api.twitter.com/2/problems/usage-capped"}`, KindOutOfCredit, "Usage cap exceeded"},
		"X: no credits":             {true, 402, `{"title":"CreditsDepleted","detail":"Your enrolled account [12345] does not have any credits","type":"https://api.x.com/2/problems/credits"}`, KindOutOfCredit, "account [account] does"},
		"X: spending limit":         {true, 403, `{"title":"Forbidden","detail":"You have reached your Spending Limit"}`, KindOutOfCredit, "Spending Limit"},
		"X: invalid request":        {true, 400, `{"errors":[{"parameters":{"ids":["a"]},"message":"not valid"}],"title":"Invalid Request"}`, KindBadRequest, "not valid"},
		"X: down":                   {true, 503, html, KindFault, "503"},
		"challenge of an edge node": {false, 403, "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", KindFault, "a node in front of it"},
		"page of a proxy":           {false, 401, " <html><body>Proxy login</body></html>", KindFault, "a node in front of it"},
		"no credit as a key":        {false, 403, `{"error":"Forbidden","message":"Insufficient credits, please recharge"}`, KindOutOfCredit, "Insufficient"},
		"no credit as a request":    {false, 400, `{"detail":"Not enough credits"}`, KindOutOfCredit, "Not enough"},
		"no credit as a limit":      {false, 429, `{"message":"Your credits are not enough"}`, KindOutOfCredit, "not enough"},
		"no credit as a fault":      {false, 500, `{"msg":"credit exhausted"}`, KindOutOfCredit, "exhausted"},
		"limit in words":            {false, 403, `{"error":{"code":88,"message":"Rate limit exceeded"}}`, KindRateLimited, "Rate limit exceeded"},
		"limit of a gateway":        {false, 503, `{"fault":{"faultstring":"Too many requests","detail":{"errorcode":"policies.ratelimit"}}}`, KindRateLimited, "Too many requests"},
		"limit in plain text":       {false, 400, "You have been throttled\n", KindRateLimited, "throttled"},
		"proxy wants a login":       {false, 407, html, KindFault, "HTTPS_PROXY"},
		"page for a lost route":     {false, 404, html, KindFault, "a node in front of it"},
		"page for a long URL":       {false, 414, html, KindBadRequest, "414"},
		"legal reasons":             {false, 451, `{"detail":"Unavailable For Legal Reasons"}`, KindBadRequest, "Legal"},
		"partial content":           {false, 206, `{"tweets":[]}`, KindMalformed, "206"},
		"deep in objects":           {false, 500, `{"error":{"error":{"error":{"message":"boom"}}}}`, KindFault, "boom"},
		"X: spending limit, 400":    {true, 400, `{"title":"Forbidden","detail":"You have reached your Spending Limit"}`, KindOutOfCredit, "Spending Limit"},
		"twitterapi.io has no cap":  {false, 429, `{"title":"UsageCapExceeded"}`, KindRateLimited, "UsageCapExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuse := refusal
			if c.x {
				refuse = xRefusal
			}
			err := fmt.Errorf("wrapped: %w", refuse(c.status, http.Header{}, []byte(c.body)))
			if Kind(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want %s that says %q", Kind(err), err, c.kind, c.says)
			}
			if len(err.Error()) > 300 {
				t.Errorf("%d bytes of message", len(err.Error()))
			}
		})
	}
}

func TestKindAndRetryable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		kind  string
		retry bool
	}{
		{nil, KindOK, false},
		{&RateLimitError{}, KindRateLimited, true},
		{ErrOutOfCredit, KindOutOfCredit, false},
		{ErrUnauthorized, KindUnauthorized, false},
		{&BadRequestError{}, KindBadRequest, false},
		{ErrProviderFault, KindFault, true},
		{ErrMalformed, KindMalformed, true},
		{context.Canceled, KindCanceled, false},
		{context.DeadlineExceeded, KindCanceled, false},
		{errors.New("the gate fell down"), KindOther, false},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("somewhere: %w", err)
		}
		if Kind(err) != c.kind || Retryable(err) != c.retry {
			t.Errorf("%v: %s, retryable %v; want %s, %v", err, Kind(err), Retryable(err), c.kind, c.retry)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	in := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	unix := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	for name, c := range map[string]struct {
		header [2]string // Retry-After, x-rate-limit-reset
		date   string
		want   time.Duration
	}{
		"nothing":           {want: 0},
		"seconds":           {header: [2]string{"7", ""}, want: 7 * time.Second},
		"part of a second":  {header: [2]string{"0.2", ""}, want: time.Second},
		"zero":              {header: [2]string{"0", ""}, want: time.Second},
		"date":              {header: [2]string{in(30 * time.Second), ""}, want: 30 * time.Second},
		"date in the past":  {header: [2]string{in(-time.Hour), ""}, want: time.Second},
		"reset":             {header: [2]string{"", unix(90 * time.Second)}, want: 90 * time.Second},
		"reset is later":    {header: [2]string{"5", unix(90 * time.Second)}, want: 90 * time.Second},
		"reset is sooner":   {header: [2]string{"120", unix(90 * time.Second)}, want: 2 * time.Minute},
		"far away":          {header: [2]string{"1e300", ""}, want: 15 * time.Minute},
		"reset of nonsense": {header: [2]string{"", unix(1000 * time.Hour)}, want: 15 * time.Minute},
		"nonsense":          {header: [2]string{"soon", "later"}, want: 0},
		"negative":          {header: [2]string{"-3", ""}, want: 0},
		"not a number":      {header: [2]string{"NaN", ""}, want: 0},
		"Unix seconds":      {header: [2]string{unix(40 * time.Second), ""}, want: 40 * time.Second},
		"milliseconds":      {header: [2]string{"", unix(90*time.Second) + "000"}, want: 90 * time.Second},
		"microseconds":      {header: [2]string{"", unix(90*time.Second) + "000000"}, want: 90 * time.Second},
		"reset from now on": {header: [2]string{"", "30"}, want: 30 * time.Second},
		// The provider's clock is 10 min ahead of ours: what counts is its own Date.
		"clocks differ": {header: [2]string{"", unix(11 * time.Minute)}, date: in(10 * time.Minute), want: time.Minute},
	} {
		h := http.Header{}
		for i, key := range []string{"Retry-After", "X-Rate-Limit-Reset"} {
			if c.header[i] != "" {
				h.Set(key, c.header[i])
			}
		}
		if c.date != "" {
			h.Set("Date", c.date)
		}
		if got := retryAfter(h, now); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestBatchLimit(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]int{
		"max 50 tweet_ids per request, please batch into multiple calls": 50,
		"Max 7 tweet_ids per request":                                    7,
		"maximum of 20 tweet_ids":                                        20,
		"max 100 tweet_ids per request":                                  40, // no help: it got 80
		"max 0 tweet_ids per request":                                    40,
		"max tweet_ids exceeded":                                         40,
		"tweet_ids is required":                                          0,
		"invalid tweet_ids":                                              0,
	} {
		if got := twitterAPILimit(&BadRequestError{Status: 400, Message: message}, 80); got != want {
			t.Errorf("%q: %d, want %d", message, got, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"detail":[{"loc":["query","x"],"msg":"no"}],"message":{"detail":3}}`))
	f.Add([]byte(`{"errors":[{"message":"[123]"}],"error":null}`))
	f.Add([]byte(`{"error":{"error":{"error":{"error":{"message":"deep"}}}},"data":{"title":"x"}}`))
	f.Add([]byte("Rate limit exceeded\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if m := messageOf(body); m == "" || len(m) > maxMessage+len("...") {
			t.Fatalf("message of %d bytes: %q", len(m), m)
		}
	})
}
