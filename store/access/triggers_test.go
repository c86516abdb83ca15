package access_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"gorgone/internal/testkit"
	"gorgone/store/access"
	"gorgone/store/postgres"
)

func TestTriggerRunsOnce(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		begin := func() (json.RawMessage, error) { return e.access.BeginTrigger(t.Context(), "m1", time.Minute) }
		if answer, err := begin(); err != nil || answer != nil {
			t.Fatalf("first: %s %v", answer, err)
		}
		if _, err := begin(); !errors.Is(err, access.ErrTriggerRunning) {
			t.Fatalf("while it runs: %v", err)
		}
		e.Clock.Advance(2 * time.Minute)
		if answer, err := begin(); err != nil || answer != nil {
			t.Fatalf("after its process died: %s %v", answer, err)
		}
		testkit.Must(t, e.access.EndTrigger(t.Context(), "m1", json.RawMessage(`{"n": 1}`)))
		if answer, err := begin(); err != nil || string(answer) != `{"n": 1}` {
			t.Fatalf("after it ended: %s %v", answer, err)
		}
		testkit.Must(t, e.access.EndTrigger(t.Context(), "m1", nil)) // answered: not forgotten
		if answer, err := begin(); err != nil || answer == nil {
			t.Fatalf("after it ended: %s %v", answer, err)
		}
	})
}

func TestTriggerThatFailedMayComeAgain(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	_, err := e.access.BeginTrigger(t.Context(), "m1", time.Minute)
	testkit.Must(t, err)
	testkit.Must(t, e.access.EndTrigger(t.Context(), "m1", nil))
	if answer, err := e.access.BeginTrigger(t.Context(), "m1", time.Minute); err != nil || answer != nil {
		t.Errorf("%s %v", answer, err)
	}
}
