// The test of this file needs Node.js and an npm install in examples/nats; the gate
// brings both and sets the tag.

//go:build sdk

package worker_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
)

// TestNodeExample runs examples/nats with the official client, as the user of
// deploy/nats/nats.conf that may do no more than it needs.
func TestNodeExample(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 3})
	ids := e.track()
	deployed := e.deployedNATS()
	e.run(e.worker(workerOptions{queue: deployed.queue}))
	node := func(args ...string) (done queue.RefreshResult) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "node", append([]string{"refresh.mjs"}, args...)...)
		cmd.Dir, cmd.Stderr = "../examples/nats", os.Stderr
		cmd.Env = append(os.Environ(), "NATS_URL="+deployed.refresherURL)
		out, err := cmd.Output()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		testkit.Must(t, json.Unmarshal(out, &done))
		if ok := done.Outcome == engagement.RequestUpdated || done.Outcome == engagement.RequestCurrent; ok != (err == nil) {
			t.Errorf("%s, and %v", done.Outcome, err)
		}
		return done
	}
	user := uuid.NewString()
	if done := node(ids[0], user); done.Outcome != engagement.RequestUpdated || len(done.Rows) != 1 {
		t.Errorf("%+v", done)
	}
	if done := node(ids[1], user); done.Cause != engagement.CauseLimit {
		t.Errorf("too soon: %+v", done)
	}
	if done := node(ids[1]); done.Outcome != engagement.RequestUpdated {
		t.Errorf("of the backend itself: %+v", done)
	}
	if done := node(ids[0]); done.Outcome != engagement.RequestCurrent {
		t.Errorf("again: %+v", done)
	}
}
