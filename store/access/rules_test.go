package access_test

import (
	"errors"
	"testing"

	"gorgone/store/access"
)

func TestZoneOfRule(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.Exec(t, `insert into twitter_rules (zone_id, tag, query, external_rule_id, is_active) values ($1, 't', 'q', 'r1', true), ($1, 't', 'q', 'r2', false)`, e.ZoneID)
		if zone, err := e.access.ZoneOfRule(t.Context(), "r1"); err != nil || zone != e.ZoneID {
			t.Errorf("active rule: %s %v", zone, err)
		}
		for _, id := range []string{"r2", "r3", ""} {
			if _, err := e.access.ZoneOfRule(t.Context(), id); !errors.Is(err, access.ErrRuleNotFound) {
				t.Errorf("rule %q: %v", id, err)
			}
		}
		e.Exec(t, `update zones set is_active = false`)
		if _, err := e.access.ZoneOfRule(t.Context(), "r1"); !errors.Is(err, access.ErrRuleNotFound) {
			t.Errorf("rule of an inactive zone: %v", err)
		}
	})
}
