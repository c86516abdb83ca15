package throttle

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
)

// The shared state is read by replicas of other versions: it must not change by
// accident.
func TestSchema(t *testing.T) {
	t.Parallel()
	at := time.UnixMicro(9)
	for name, c := range map[string]struct {
		got  any
		want string
	}{
		"initial rate limiter": {
			json.RawMessage(limiterState{All: time.UnixMicro(7), Batch: time.UnixMicro(8), Factor: 0.5}.encode()),
			`{"v":1,"all_us":7,"batch_us":8,"factor":0.5}`,
		},
		"recovering rate limiter": {
			json.RawMessage(limiterState{
				All: time.UnixMicro(7), Batch: time.UnixMicro(8), Factor: 0.5, At: at,
				recovery: recovery{HoldUntil: at, ProbeUntil: at, Resumed: at, Episode: 3, Clean: 4},
			}.encode()),
			`{"v":1,"all_us":7,"batch_us":8,"factor":0.5,"at_us":9,"hold_us":9,"probe_us":9,"resumed_us":9,"episode":3,"clean":4}`,
		},
		"pause": {
			pauseEntry{V: 1, Until: 2, Reason: "rate limit", Written: 3, Since: 4, Episode: 5, Streak: 6},
			`{"v":1,"until_ms":2,"reason":"rate limit","at_ms":3,"since_ms":4,"episode":5,"streak":6}`,
		},
		"circuit breaker": {
			breakerEntry{V: 1, Revision: 2, State: BreakerOpen, Cause: engagement.CauseOutage, Reason: "down", Since: 3, Next: 4, Opens: 5},
			`{"v":1,"revision":2,"state":"open","cause":"outage","reason":"down","since_ms":3,"next_ms":4,"opens":5}`,
		},
		"balance": {
			accountEntry{V: 1, Balance: Balance{Left: 2, Unit: "credits", At: time.UnixMilli(1).UTC()}, Next: 3},
			`{"v":1,"balance":{"left":2,"unit":"credits","at":"1970-01-01T00:00:00.001Z"},"next_ms":3}`,
		},
	} {
		got, err := json.Marshal(c.got)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s is\n%s, want\n%s", name, got, c.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                        "",
		" a\r\nb: x\t ":           "a b: x",
		"a\xffb":                  "a?b",
		strings.Repeat("é", 2000): strings.Repeat("é", maxReason/2),
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%.20q) is %.40q, want %.40q", in, got, want)
		}
	}
}

// A pause that another process wrote is read, or it is not: it never stands for a
// time that can not be written again.
func FuzzDecodePause(f *testing.F) {
	f.Add([]byte(`{"v":1,"until_ms":1793534400000,"reason":"rate limit"}`))
	f.Add([]byte(`{"v":1,"until_ms":-9223372036854775808}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := decodePause(body)
		if err != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", e, err)
		}
		if e2, err := decodePause(again); err != nil || !e2.until().Equal(e.until()) {
			t.Fatalf("%+v came back as %+v, %v", e, e2, err)
		}
	})
}
