package auth_test

import (
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store/postgres"
	"gorgone/web/auth"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

// epoch is when the tests' time begins.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return epoch }

// wallClock is real time, as engine time.
type wallClock struct{}

func (wallClock) Now() time.Time                       { return time.Now() }
func (wallClock) Engine(d time.Duration) time.Duration { return d }
func (wallClock) Real(d time.Duration) time.Duration   { return d }
func (wallClock) Agrees() error                        { return nil }

// openDatabase returns a database of the test's own, and its URL.
func openDatabase(tb testing.TB) (*postgres.DB, string) {
	tb.Helper()
	url := pgtest.NewDatabase(tb)
	db, err := postgres.Connect(tb.Context(), postgres.Config{URL: url})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db, url
}

// wantReason checks that err is a refusal for the reason, or nil when reason is
// empty.
func wantReason(tb testing.TB, err error, reason auth.Reason) {
	tb.Helper()
	got, _ := auth.Refused(err)
	if got != reason || reason == "" && err != nil {
		tb.Errorf("error %v (%q), want %q", err, got, reason)
	}
}

// claimsWith returns claims with some of them changed; nil takes one out.
func claimsWith(claims jwt.MapClaims, changes jwt.MapClaims) jwt.MapClaims {
	all := make(jwt.MapClaims)
	maps.Copy(all, claims)
	for name, value := range changes {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

// sign makes a token.
func sign(tb testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	tb.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

// allFaults returns how many faults a joined error has.
func allFaults(err error) int {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return 0
	}
	return len(joined.Unwrap())
}
