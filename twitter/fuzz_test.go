package twitter

import (
	"net/http"
	"testing"
	"time"
)

// However a provider says how long to wait, it is a time that can be waited.
func FuzzRetryAfter(f *testing.F) {
	f.Add("5", "", "")
	f.Add("Sun, 01 Nov 2026 12:00:00 GMT", "1793534400", "Sun, 01 Nov 2026 11:59:00 GMT")
	f.Add("1e999", "-9223372036854775808", "x")
	f.Add("NaN", "9223372036854775807", "")
	f.Fuzz(func(t *testing.T, after, reset, date string) {
		h := http.Header{"Retry-After": {after}, "X-Rate-Limit-Reset": {reset}, "Date": {date}}
		d := retryAfter(h, time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
		if d != 0 && (d < leastRetryAfter || d > mostRetryAfter) {
			t.Fatalf("%q %q %q: wait %s", after, reset, date, d)
		}
	})
}
