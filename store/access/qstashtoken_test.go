package access_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/store/access"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

func (e *env) useToken(tb testing.TB, token, message, hash string, at time.Time) bool {
	tb.Helper()
	same, err := e.access.UseToken(tb.Context(), access.QStashToken{
		TokenID: token, MessageID: message, BodyHash: []byte(hash), At: at, KeepUntil: at.Add(time.Hour),
	})
	if err != nil {
		tb.Error(err)
	}
	return same
}

func TestUseToken(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		for _, c := range []struct {
			token, message, hash string
			after                time.Duration
			same                 bool
		}{
			{"t1", "m1", "h1", 0, true},
			{"t1", "m1", "h1", time.Second, true},
			{"t1", "m2", "h1", time.Second, false},
			{"t1", "m1", "h2", time.Second, false},
			{"t1", "m1", "h1", time.Second, true},        // what was refused changed nothing
			{"t2", "m1", "h1", time.Second, true},        // the message again, with a new token
			{"T1", "m9", "h1", time.Second, true},        // ids differ by case
			{"t1", "m2", "h1", 59 * time.Minute, false},  // still known
			{"t1", "m2", "h1", 2 * time.Hour, true},      // forgotten
			{"'; --", "'; --", "'", time.Second, true},   // no SQL
			{"'; --", "'; -- ", "'", time.Second, false}, //
		} {
			if same := e.useToken(t, c.token, c.message, c.hash, storetest.Epoch().Add(c.after)); same != c.same {
				t.Errorf("%+v: %t", c, same)
			}
		}
		if n := e.Count(t, `select count(*) from gorgone.qstash_tokens where keep_until < $1`, storetest.Epoch().Add(2*time.Hour)); n != 1 {
			t.Errorf("%d tokens are over and kept", n) // the one of the attempt after
		}
	})
}

// Of many messages that one token is used for at once, on several replicas, one
// is the token's.
func TestUseTokenAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	for i := range 200 { // for all of them to sweep
		e.useToken(t, fmt.Sprintf("old%d", i), "m", "h", storetest.Epoch().Add(-24*time.Hour))
	}
	var same atomic.Int64
	var wg conc.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			for range 20 {
				if e.useToken(t, "t", fmt.Sprintf("m%d", i), "h", storetest.Epoch()) {
					same.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := same.Load(); n != 20 {
		t.Errorf("accepted %d times, want the 20 of one message", n)
	}
	if n := e.Count(t, `select count(*) from gorgone.qstash_tokens`); n != 1 {
		t.Errorf("%d tokens are kept, want 1", n)
	}
}
