// This file's test runs a program in Node.js, which needs an npm install; the gate brings
// both and sets the tag.

//go:build sdk

package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// TestNodeExample runs examples/nats beside a running up, by the address in its run file.
func TestNodeExample(t *testing.T) {
	t.Parallel()
	u := startUp(t, madeDir(t), "--tweets", "30", "--listen", "127.0.0.1:0")
	u.until("something is tracked", func(s stats) bool { return s.Total > 5 })
	var tweet string
	if err := u.sql().QueryRow(t.Context(), `select min(tweet_id) from twitter_tweets`).Scan(&tweet); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "refresh.mjs", tweet)
	node.Dir, node.Stderr = "../../examples/nats", os.Stderr
	node.Env = append(os.Environ(), "NATS_URL="+u.running().RefresherURL)
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var answer struct {
		Outcome string `json:"outcome"`
		TweetID string `json:"tweet_id"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.TweetID != tweet {
		t.Errorf("%s (%v)", out, err)
	}
}
