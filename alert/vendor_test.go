// This file's test asks the reference library of Standard Webhooks, which needs Node.js
// and an npm install; the gate brings both and sets the tag.

//go:build sdk

package alert_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/testkit"
)

// TestVendorVerifies: the reference library takes what is sent, by either secret while one
// is rotated, and finds the members of its specification; it refuses a third secret.
func TestVendorVerifies(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	m := alert.Message{ID: uuid.New(), Kind: engagement.AlertCount, Rule: "r", Message: "ünïcode", RaisedAt: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)}
	hook := alert.Webhook{URL: r.URL, Secret: alert.NewSecret(), Previous: alert.NewSecret(), Format: alert.FormatJSON}
	testkit.Must(t, poster(5*time.Second).Post(t.Context(), hook, "the-id", m))
	got := <-r.got
	type question struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	headers := make(map[string]string)
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		headers[name] = got.header.Get(name)
	}
	input, err := json.Marshal([]question{
		{hook.Secret, headers, string(got.body)},
		{hook.Previous, headers, string(got.body)},
		{alert.NewSecret(), headers, string(got.body)},
		{hook.Secret, headers, string(got.body) + " "},
	})
	testkit.Must(t, err)
	judge := exec.CommandContext(t.Context(), "node", "testdata/standardwebhooks/judge.mjs")
	judge.Stdin = strings.NewReader(string(input))
	out, err := judge.Output()
	testkit.Must(t, err)
	var verified []*struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			ID uuid.UUID `json:"id"`
		} `json:"data"`
	}
	testkit.Must(t, json.Unmarshal(out, &verified))
	if len(verified) != 4 || verified[0] == nil || verified[1] == nil || verified[2] != nil || verified[3] != nil {
		t.Fatalf("the library says %s", out)
	}
	if v := verified[0]; v.Type != "alert.count" || !v.Timestamp.Equal(m.RaisedAt) || v.Data.ID != m.ID {
		t.Errorf("its members are %+v", v)
	}
}
