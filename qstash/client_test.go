package qstash_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorgone/qstash"
	"gorgone/qstash/qstashtest"
)

const token = "a-token-that-no-one-should-see"

func schedule() qstash.Schedule {
	return qstash.Schedule{
		ID: "gorgone", Cron: "*/10 * * * *", Destination: "https://gorgone.example.com/api/twitter/engagement/update?wait=30s",
		Body: `{"limit":100}`, Retries: 1, Timeout: time.Minute,
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	double := qstashtest.Start(t, token)
	c, err := qstash.New(double.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := t.Context(), schedule()
	// The query of a destination is part of it.
	s.Destination = "https://gorgone.example.com/api/twitter/engagement/update"
	for _, cron := range []string{"*/10 * * * *", "*/5 * * * *"} { // made, then changed
		s.Cron = cron
		if err := c.Put(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	kept := double.Schedules()
	if len(kept) != 1 || kept[0].Cron != "*/5 * * * *" || kept[0].Destination != s.Destination || kept[0].Body != s.Body ||
		kept[0].Retries != 1 || kept[0].Timeout != "60s" || kept[0].Method != http.MethodPost {
		t.Errorf("%+v", kept)
	}
	if err := c.Pause(ctx, s.ID); err != nil || !double.Schedules()[0].IsPaused {
		t.Errorf("pause: %v", err)
	}
	list, err := c.List(ctx)
	if err != nil || len(list) != 1 || !list[0].Paused || list[0].ID != s.ID {
		t.Errorf("%+v %v", list, err)
	}
	if err := c.Resume(ctx, s.ID); err != nil || double.Schedules()[0].IsPaused {
		t.Errorf("resume: %v", err)
	}
	if err := c.Pause(ctx, "other"); !errors.Is(err, qstash.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	for i := range 9 {
		s.ID = "more" + strings.Repeat("x", i)
		if err := c.Put(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	s.ID = "one-too-many"
	var refused *qstash.Error
	if err := c.Put(ctx, s); !errors.As(err, &refused) || refused.Status != 412 {
		t.Errorf("too many: %v", err)
	}
}

func TestClientKeepsTheTokenToItself(t *testing.T) {
	t.Parallel()
	double := qstashtest.Start(t, "another-token")
	c, err := qstash.New(double.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.List(t.Context())
	if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "QSTASH_TOKEN") {
		t.Errorf("%v", err)
	}
}

func TestClientRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range [][2]string{{"", ""}, {"not a url", token}, {"ftp://host", token}, {"http://qstash.upstash.io", token}, {"https://user:pw@host", token}, {"https://host", "a\nb"}} {
		if _, err := qstash.New(tc[0], tc[1]); err == nil {
			t.Errorf("%q was taken", tc)
		}
	}
	c, err := qstash.New("", token)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*qstash.Schedule){
		"id":          func(s *qstash.Schedule) { s.ID = "a/b" },
		"destination": func(s *qstash.Schedule) { s.Destination = "gorgone.example.com" },
		"cron":        func(s *qstash.Schedule) { s.Cron = "" },
		"header":      func(s *qstash.Schedule) { s.Cron = "* * * * *\r\nX: y" },
		"retries":     func(s *qstash.Schedule) { s.Retries = 99 },
		"timeout":     func(s *qstash.Schedule) { s.Timeout = 0 },
		"body":        func(s *qstash.Schedule) { s.Body = "{" },
	} {
		s := schedule()
		change(&s)
		if err := c.Put(t.Context(), s); err == nil {
			t.Errorf("%s: %+v was taken", name, s)
		}
	}
}
