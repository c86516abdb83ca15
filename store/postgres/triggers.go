package postgres

import (
	"context"
	"strings"
)

// checkTriggers names the product's triggers on tables that the engine writes which run with
// the rights of this role. That is no fault, unless they do what it may not; then no row that
// fires them is written.
func (db *DB) checkTriggers(ctx context.Context) (Finding, error) {
	f := Finding{Check: "triggers", Detail: "none runs with this role's rights"}
	found, err := db.names(ctx, `
		select format('%s on %s (function %s)', t.tgname, t.tgrelid::regclass, t.tgfoid::regprocedure)
		from pg_trigger t join pg_proc p on p.oid = t.tgfoid
		where t.tgrelid in (to_regclass('public.twitter_tweets'), to_regclass('public.twitter_engagement_history'),
			to_regclass('public.twitter_engagement_tracking'))
		and not t.tgisinternal and t.tgenabled <> 'D' and not p.prosecdef and not pg_has_role(p.proowner, 'USAGE')
		order by 1`)
	if len(found) > 0 {
		f.Detail = "run with this role's rights, and need what they do granted to it: " + strings.Join(found, ", ")
	}
	return f, err
}
