package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"gorgone/internal/testkit"
)

const eventsPath = "/api/twitter/engagement/events"

// overuse is what accounts with little access could use up or see.
func (s *target) overuse() map[string]func() seen {
	as := func(user uuid.UUID, ends time.Duration) []string {
		return s.session(jwt.SigningMethodES256, s.key, func(c jwt.MapClaims) {
			c["sub"], c["exp"] = user.String(), time.Now().Add(ends).Unix()
		})
	}
	return map[string]func() seen{
		"user: live events, without a profile":    func() seen { return s.from("GET", eventsPath, "", as(uuid.New(), time.Hour)...) },
		"user: live events, without a zone":       func() seen { return s.from("GET", eventsPath, "", as(s.user, time.Hour)...) },
		"user: HEAD of the live events":           func() seen { return s.from("HEAD", eventsPath, "", as(s.member(), time.Hour)...) },
		"user: live events, until the token ends": func() seen { return s.from("GET", eventsPath, "", as(s.member(), 3*time.Second)...) },
		"user: 21 streams of live events": func() seen {
			headers := as(s.member(), time.Hour)
			for range 20 {
				defer s.stream(headers)()
			}
			return s.from("GET", eventsPath, "", headers...)
		},
		"user: seven large reads at once": func() seen { return s.manyReads(as(s.member(), time.Hour), as(s.member(), time.Hour)) },
		"user: three exports at once":     func() seen { return s.manyExports(as(s.member(), time.Hour)) },
		"user: the operations of all clients": func() seen {
			a := s.from("GET", "/api/twitter/overview", "", as(s.member(), time.Hour)...)
			var view struct {
				Data struct {
					Tracking struct {
						Total     int
						Pauses    []any
						Providers []any
						Queue     any
					}
					Replicas []any
				}
			}
			s.must(json.Unmarshal([]byte(a.body), &view))
			d := view.Data
			var own int
			s.must(s.up.sql().QueryRow(s.t.Context(), `select count(*) from twitter_tweets w join zones z on z.id = w.zone_id where z.client_id = $1`, s.client()).Scan(&own))
			if d.Tracking.Total != own || len(d.Tracking.Pauses)+len(d.Tracking.Providers)+len(d.Replicas) > 0 || d.Tracking.Queue != nil {
				s.t.Errorf("of %d own tweets it sees %s", own, a.body)
			}
			return a
		},
	}
}

// client is one that has a zone of its own.
func (s *target) client() (id uuid.UUID) {
	s.t.Helper()
	s.must(s.up.sql().QueryRow(s.t.Context(), `select client_id from zones order by name limit 1`).Scan(&id))
	return id
}

// member makes an operator of that client.
func (s *target) member() uuid.UUID {
	s.t.Helper()
	id := uuid.New()
	_, err := s.up.sql().Exec(s.t.Context(), `insert into profiles (id, role, client_id) values ($1, 'operator', $2)`, id, s.client())
	s.must(err)
	return id
}

// stream opens a stream of events, and waits until it stands.
func (s *target) stream(headers []string) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+eventsPath, nil)
	s.must(err)
	r.Header.Set(headers[0], headers[1])
	res, err := http.DefaultClient.Do(r) //nolint:bodyclose // stop closes it
	s.must(err)
	if res.StatusCode != http.StatusOK {
		s.t.Errorf("a stream was answered %d", res.StatusCode)
	}
	return func() {
		cancel()
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}

// manyReads has a user read as much at once as is allowed, and once more. Others of the
// client still can.
func (s *target) manyReads(user, other []string) seen {
	s.t.Helper()
	reading, waiting, answers, letGo := s.slowReads("/api/twitter/engagement/top", "select w.id from")
	for range 6 {
		reading(user)
	}
	waiting(6)
	refused := s.from("GET", "/api/twitter/engagement/top", "", user...)
	if refused.header.Get("Retry-After") == "" || !strings.Contains(refused.body, "too many reads") {
		s.t.Errorf("no word of when to try again: %s", refused.body)
	}
	if text := s.tool(user); !strings.HasPrefix(text, "429 limit") || !strings.Contains(text, "try again in 1 s") {
		s.t.Errorf("by a tool of gorgone mcp: %s", text)
	}
	reading(other)
	waiting(7)
	letGo()
	for range 7 {
		if a := <-answers; a.status == http.StatusTooManyRequests {
			s.t.Errorf("one that was allowed was refused: %s", a.body)
		}
	}
	return refused
}

// manyExports is the same for exports of a user.
func (s *target) manyExports(user []string) seen {
	s.t.Helper()
	var zone uuid.UUID
	s.must(s.up.sql().QueryRow(s.t.Context(), `select id from zones where client_id = $1 order by name limit 1`, s.client()).Scan(&zone))
	path := "/api/twitter/zones/" + zone.String() + "/export.csv"
	reading, waiting, answers, letGo := s.slowReads(path, "k.snapshot_at is null or k.snapshot_at >=")
	for range 2 {
		reading(user)
	}
	waiting(2)
	refused := s.from("GET", path, "", user...)
	letGo()
	for range 2 {
		s.accept(<-answers)
	}
	return refused
}

// slowReads has reads of tweets wait until the test lets them go on. reading begins one,
// and waiting waits until n are at the query.
func (s *target) slowReads(path, query string) (reading func(headers []string), waiting func(n int), answers chan seen, letGo func()) {
	s.t.Helper()
	tx, err := s.up.sql().Begin(s.t.Context())
	s.must(err)
	_, err = tx.Exec(s.t.Context(), `lock table twitter_tweets in access exclusive mode`)
	s.must(err)
	answers = make(chan seen)
	reading = func(headers []string) {
		addr := s.address()
		go func() { answers <- s.send(addr, "GET", path, "", headers...) }()
	}
	watch := s.up.sql()
	waiting = func(n int) {
		testkit.Until(s.t, func() (enough bool) {
			s.must(watch.QueryRow(s.t.Context(), `select count(*) >= $1 from pg_stat_activity
				where wait_event_type = 'Lock' and query like '%' || $2::text || '%' and pid <> pg_backend_pid()`, n, query).Scan(&enough))
			return enough
		})
	}
	return reading, waiting, answers, func() { s.must(tx.Rollback(s.t.Context())) }
}
