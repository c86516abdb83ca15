package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// badInput are requests of callers who may make them, with what broke something once.
func (s *target) badInput() map[string]func() seen {
	bearer := []string{"Authorization", "Bearer " + s.service}
	var zone uuid.UUID
	s.must(s.up.sql().QueryRow(s.t.Context(), `select id from zones order by name limit 1`).Scan(&zone))
	track := func(raw string) func() seen {
		return func() seen {
			const culprit = "1981517640000000002"
			a := s.from("POST", "/api/twitter/tweets", fmt.Sprintf(`{"zone_id":%q,"tweets":[{"tweet_id":%q,"raw":%s}]}`, zone, culprit, raw), bearer...)
			if !strings.Contains(a.body, culprit) {
				s.t.Errorf("raw %s: the culprit is not named: %s", raw, a.body)
			}
			return a
		}
	}
	push := func(rule, raw string) func() seen {
		return func() seen {
			return s.from("POST", "/api/webhooks/twitter", fmt.Sprintf(`{"event_type":"tweet","rule_id":%s,"tweets":[{"id":"1981517640000000003","x":%s}]}`, rule, raw), "X-API-Key", s.pushKey)
		}
	}
	return map[string]func() seen{
		"half a surrogate pair in `raw`":      track(`{"a":"\ud800"}`),
		"`1e200000` in `raw`":                 track(`{"a":1e200000}`),
		"a null character in a rule's id":     push(`"r\u0000"`, `1`),
		"the dead letter 0":                   func() seen { return s.from("GET", "/api/twitter/dead-letters/0", "", bearer...) },
		"a message id that is no UTF-8":       func() seen { return s.from("POST", triggerPath, `{}`, append(bearer, "Upstash-Message-Id", "\xff")...) },
		"1,100 login codes, and then a login": s.manyCodes,
	}
}

// manyCodes makes more login codes than are kept, and logs in with the last.
func (s *target) manyCodes() (last seen) {
	for range 1100 {
		last = s.send(net.IPv4(127, 0, 2, 2), "POST", "/api/session/code", "", "Authorization", "Bearer "+s.service)
		if last.status != http.StatusOK {
			return last
		}
	}
	var made struct{ Code string }
	s.must(json.Unmarshal([]byte(last.body), &made))
	return s.from("POST", "/api/session/local", fmt.Sprintf(`{"code":%q}`, made.Code))
}
