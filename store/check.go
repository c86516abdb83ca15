package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Finding is the result of one check of the database.
type Finding struct {
	Check  string // what was checked
	OK     bool
	Detail string // what was found
	Fix    string // what to do about it; empty when OK
}

// Check looks for what would make the engine fail or, worse, silently do
// nothing: missing migrations, tables or columns, rows hidden by row-level
// security, missing rights, broken indexes. The error is for checks that could
// not be made.
func (s *Store) Check(ctx context.Context) ([]Finding, error) {
	checks := []func(context.Context) (Finding, error){
		s.checkMigrations, s.checkColumns, s.checkRights, s.checkVisible, s.checkIndexes, s.checkPartitions,
	}
	var findings []Finding
	for _, check := range checks {
		f, err := check(ctx)
		if err != nil {
			return findings, fmt.Errorf("check %s: %w", f.Check, err)
		}
		f.OK = f.Fix == ""
		findings = append(findings, f)
	}
	return findings, nil
}

// usedTables returns the tables that the engine works on and the rights it needs.
func usedTables() map[string][]string {
	return map[string][]string{
		"public.zones":                       {"SELECT"},
		"public.twitter_tweets":              {"SELECT", "INSERT", "UPDATE"},
		"public.twitter_engagement_history":  {"SELECT", "INSERT"},
		"public.twitter_engagement_tracking": {"SELECT", "INSERT", "UPDATE"},
		"gorgone.clock":                      {"SELECT"},
		"gorgone.spending":                   {"SELECT", "INSERT", "DELETE"},
		"gorgone.ledger":                     {"SELECT", "INSERT", "UPDATE"},
		"gorgone.balances":                   {"SELECT", "INSERT"},
		"gorgone.models":                     {"SELECT", "INSERT", "UPDATE"},
		"gorgone.pauses":                     {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.look_price":                 {"SELECT", "INSERT", "UPDATE"},
		"gorgone.batches":                    {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.refresh_requests":           {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.trigger_answers":            {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"public.twitter_rules":               {"SELECT"},
	}
}

// usedColumns returns the columns the engine reads or writes, as table.column.
func usedColumns() []string {
	var columns []string
	add := func(table string, names ...string) {
		for _, n := range names {
			columns = append(columns, table+"."+n)
		}
	}
	add("zones", "id", "name", "client_id", "is_active", "settings")
	add("twitter_tweets", "id", "zone_id", "tweet_id", "text", "twitter_created_at", "collected_at", "raw_data", "created_at", "updated_at", "predictions")
	add("twitter_tweets", countColumns[:]...)
	add(historyTable, "id", "tweet_id", "engagement_velocity", "snapshot_at", "created_at", "provider", "provider_changed")
	add(historyTable, countColumns[:]...)
	add(historyTable, deltaColumns[:]...)
	add("twitter_engagement_tracking", "id", "tweet_db_id", "tier", "last_updated_at", "next_update_at", "update_count", "created_at",
		"claim_id", "claimed_until", "retry_at", "attempts", "misses", "last_missed_at", "gone_reason", "zone_id", "activity", "snapshot_at", "snapshot_velocity",
		"snapshot_retweets", "snapshot_replies", "snapshot_likes", "snapshot_quotes", "snapshot_views", "snapshot_bookmarks", "snapshot_provider")
	return columns
}

const runMigrate = "run gorgone migrate"

func (s *Store) checkMigrations(ctx context.Context) (Finding, error) {
	f := Finding{Check: "migrations"}
	have, want, err := s.db.SchemaVersion(ctx)
	if err != nil {
		return f, err
	}
	f.Detail = fmt.Sprintf("version %d of %d", have, want)
	switch {
	case have < want:
		f.Fix = runMigrate
	case have > want:
		f.Fix = "this program is older than the database: run the version that migrated it, or a newer one"
	}
	return f, nil
}

func (s *Store) checkColumns(ctx context.Context) (Finding, error) {
	f := Finding{Check: "tables and columns"}
	missing, err := s.names(ctx, `
		select u.name from unnest($1::text[]) u (name)
		where not exists (
			select from pg_attribute a
			where a.attrelid = to_regclass('public.' || split_part(u.name, '.', 1)) and a.attname = split_part(u.name, '.', 2)
			and not a.attisdropped)
		order by 1`, usedColumns())
	f.Detail = "all there"
	if len(missing) > 0 {
		f.Detail, f.Fix = "missing: "+strings.Join(missing, ", "), runMigrate
	}
	return f, err
}

func (s *Store) checkRights(ctx context.Context) (Finding, error) {
	f := Finding{Check: "rights"}
	var tables, rights []string
	for table, needed := range usedTables() {
		for _, right := range needed {
			tables, rights = append(tables, table), append(rights, right)
		}
	}
	lacking, err := s.names(ctx, `
		select lower(u.needed) || ' on ' || u.name
		from unnest($1::text[], $2::text[]) u (name, needed)
		where to_regclass(u.name) is not null
		and not has_table_privilege(to_regclass(u.name), u.needed)
		order by 1`, tables, rights)
	f.Detail = "sufficient"
	if len(lacking) > 0 {
		f.Detail = "this role may not " + strings.Join(lacking, ", ")
		f.Fix = "grant them to the role that the database url names (and usage on the schema gorgone)"
	}
	return f, err
}

// checkVisible finds tables whose rows this role may see only as policies allow:
// without a fitting policy every query finds nothing, without an error.
func (s *Store) checkVisible(ctx context.Context) (Finding, error) {
	f := Finding{Check: "row-level security"}
	var tables []string
	for table := range usedTables() {
		tables = append(tables, table)
	}
	slices.Sort(tables)
	hidden, err := s.names(ctx, `
		select u.name from unnest($1::text[]) u (name)
		where to_regclass(u.name) is not null and row_security_active(to_regclass(u.name))
		order by 1`, tables)
	f.Detail = "does not bind this role"
	if len(hidden) > 0 {
		f.Detail = "hides rows from this role in " + strings.Join(hidden, ", ")
		f.Fix = "connect as a role that owns the tables, or alter the role to BYPASSRLS"
	}
	return f, err
}

func (s *Store) checkIndexes(ctx context.Context) (Finding, error) {
	f := Finding{Check: "indexes"}
	var bad []string
	for _, ix := range neededIndexes() {
		state, err := ix.state(ctx, s.db.pool)
		if err != nil {
			return f, err
		}
		if state != indexGood {
			bad = append(bad, ix.name)
		}
	}
	f.Detail = "all there"
	if len(bad) > 0 {
		f.Detail, f.Fix = "missing or broken: "+strings.Join(bad, ", "), runMigrate
	}
	return f, nil
}

// checkPartitions finds snapshots that had no partition to go to.
func (s *Store) checkPartitions(ctx context.Context) (Finding, error) {
	f := Finding{Check: "history partitions", Detail: "history is not partitioned"}
	var partitioned bool
	err := s.db.pool.QueryRow(ctx, `select to_regclass('gorgone.history_default') is not null`).Scan(&partitioned)
	if err != nil || !partitioned {
		return f, err
	}
	var strays bool
	if err := s.db.pool.QueryRow(ctx, `select exists (select from gorgone.history_default)`).Scan(&strays); err != nil {
		return f, err
	}
	f.Detail = "every snapshot is in its day's"
	if strays {
		f.Detail = "some snapshots are in the default partition: none had been made for their day"
		f.Fix = "let a dispatcher run: it makes partitions ahead; it moves the snapshots when it makes theirs"
	}
	return f, nil
}

// names returns the strings that a query selects.
func (s *Store) names(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := s.db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
