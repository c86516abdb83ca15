package twitter

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// What is said of the account is a balance, or an error that retries it: never one
// that stops all calls.
func FuzzBalance(f *testing.F) {
	f.Add([]byte(`{"recharge_credits":1000,"total_bonus_credits":50}`))
	f.Add([]byte(`{"recharge_credits":9223372036854775807,"total_bonus_credits":1}`))
	f.Add([]byte(`{"data":{"project_cap":"10000","project_usage":"12","project_id":"1"}}`))
	f.Add([]byte(`{"data":{"project_cap":9223372036854775807,"project_usage":-1}}`))
	f.Add([]byte(`{"data":null,"recharge_credits":"many"}`))
	f.Add([]byte(`{"id":1,"balance":1234,"created_at":"2025-01-01"}`))
	f.Add([]byte(`{"balance":-1.5e3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for unit, decode := range map[string]func([]byte) (Balance, error){UnitCredits: decodeCredits, UnitPosts: decodeUsage, UnitCents: decodeCents} {
			b, err := decode(body)
			switch {
			case err != nil:
				if !errors.Is(err, ErrMalformed) || b != (Balance{}) {
					t.Fatalf("%s: %+v, %v", unit, b, err)
				}
			case b.Unit != unit || unit == UnitPosts && b.Left < 0 || unit == UnitCents && (!b.Known || b.Bonus != 0) || unit == UnitCredits && (!b.Known || (b.Left-b.Bonus > b.Left) != (b.Bonus < 0)):
				t.Fatalf("%s: %+v", unit, b)
			}
		}
	})
}

// Whatever a refusal says, it is an error of a kind: of X a status that means money
// only when it says so.
func FuzzRefusal(f *testing.F) {
	f.Add(429, []byte(`{"title":"UsageCapExceeded","type":"https://api.twitter.com/2/problems/usage-capped","detail":"x"}`))
	f.Add(403, []byte(`{"title":"Forbidden","detail":"You have reached your Spending Limit"}`))
	f.Add(500, []byte(`<html>`))
	f.Add(302, []byte(``))
	f.Add(204, []byte(`[]`))
	f.Add(407, []byte(`<html><body>Proxy Authentication Required</body></html>`))
	f.Add(403, []byte(`{"error":{"code":88,"message":"Rate limit exceeded"}}`))
	f.Add(503, []byte(`{"fault":{"faultstring":"Too many requests"}}`))
	f.Add(414, []byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status == http.StatusOK {
			return // no refusal
		}
		plain, x := Kind(refusal(status, http.Header{}, body)), Kind(xRefusal(status, http.Header{}, body))
		if plain == KindOK || plain == KindOther {
			t.Fatalf("status %d is of the kind %s", status, plain)
		}
		if x != plain && (x != KindOutOfCredit || status != http.StatusForbidden && status != http.StatusTooManyRequests) {
			t.Fatalf("status %d is of the kind %s, of X %s", status, plain, x)
		}
	})
}

// However a provider says how long to wait, it is a time that can be waited.
func FuzzRetryAfter(f *testing.F) {
	f.Add("5", "", "")
	f.Add("Sun, 01 Nov 2026 12:00:00 GMT", "1793534400", "Sun, 01 Nov 2026 11:59:00 GMT")
	f.Add("1e999", "-9223372036854775808", "x")
	f.Add("NaN", "9223372036854775807", "")
	f.Add("Sunday, 01-Nov-26 12:00:30 GMT", "-5", "")
	f.Add("99999999999", "1e400", "Sun Nov  1 12:00:00 2026")
	f.Fuzz(func(t *testing.T, after, reset, date string) {
		h := http.Header{"Retry-After": {after}, "X-Rate-Limit-Reset": {reset}, "Date": {date}}
		d := retryAfter(h, time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
		if d != 0 && (d < leastRetryAfter || d > mostRetryAfter) {
			t.Fatalf("%q %q %q: wait %s", after, reset, date, d)
		}
	})
}
