package engagement_test

import (
	"testing"
	"time"

	"gorgone/engagement"
)

// What is in databases, messages, metrics and answers does not change.
func TestWhatFollowsFromARowsOutcome(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]struct {
		result, request string
		known           bool
	}{
		"applied":       {"applied", "updated", true},
		"missing":       {"missing", "missing", true},
		"deleted":       {"missing", "deleted", true},
		"unproven":      {"failed", "missing", true},
		"unresolved":    {"failed", "unresolved", true},
		"out_of_range":  {"failed", "unresolved", true},
		"zeroed":        {"failed", "unresolved", true},
		"future":        {"failed", "unresolved", true},
		"stale":         {"skipped", "current", true},
		"already_newer": {"skipped", "current", true},
		"lost_claim":    {"skipped", "unresolved", false},
		"vanished":      {"skipped", "unresolved", false},
		"never heard":   {"failed", "unresolved", false},
	} {
		e := engagement.RowOutcome(wire).Effect()
		if string(e.Result) != want.result || string(e.Request) != want.request || e.Known != want.known {
			t.Errorf("%s: %+v, want %+v", wire, e, want)
		}
	}
}

func TestWhatFollowsFromARequestsOutcome(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]struct {
		status   int
		code     string
		notFound bool
		retry    time.Duration
	}{
		"":            {202, "", false, 0},
		"updated":     {200, "", false, 0},
		"current":     {200, "", false, 0},
		"missing":     {503, "missing", true, 2 * time.Minute},
		"deleted":     {410, "gone", true, 0},
		"untracked":   {409, "not_tracked", true, 0},
		"unresolved":  {502, "provider", false, 0},
		"expired":     {504, "expired", false, 5 * time.Second},
		"never heard": {502, "provider", false, 0},
	} {
		if e := engagement.RequestOutcome(wire).Effect(); e.Status != want.status || e.Code != want.code || e.NotFound != want.notFound || e.RetryAfter != want.retry {
			t.Errorf("%q: %+v, want %+v", wire, e, want)
		}
	}
	for wire, want := range map[string]struct {
		status int
		retry  time.Duration
	}{
		"rate_limited":  {429, 15 * time.Second},
		"out_of_credit": {402, 0},
		"key_refused":   {502, 0},
		"late":          {503, 5 * time.Second},
		"database":      {503, 5 * time.Second},
		"paused":        {503, 5 * time.Second},
		"provider":      {502, 0},
		"outage":        {503, 5 * time.Second},
		"never heard":   {502, 0},
	} {
		if e := engagement.FailureCause(wire).Effect(); e.Status != want.status || e.Code != wire || e.NotFound || e.RetryAfter != want.retry {
			t.Errorf("%s: %+v, want %+v", wire, e, want)
		}
	}
}
