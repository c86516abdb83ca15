package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// Misfit is something about a table of the product by which the engine cannot work.
type Misfit struct {
	Table  string `json:"table"`            // with its schema
	Column string `json:"column,omitempty"` // empty: the table as a whole
	Found  string `json:"found"`            // its type or kind, or "missing"
	Want   string `json:"want"`
	Fix    string `json:"fix"` // what to do about it
}

func (m Misfit) String() string {
	what := m.Table
	if m.Column != "" {
		what += "." + m.Column
	}
	return fmt.Sprintf("%s: found %s, want %s: %s", what, m.Found, m.Want, m.Fix)
}

// MisfitError is returned by [Migrate] for a database whose tables have the names of the
// product's and another shape. Nothing was changed.
type MisfitError struct{ Misfits []Misfit }

func (e *MisfitError) Error() string {
	lines := make([]string, len(e.Misfits))
	for i, m := range e.Misfits {
		lines[i] = "  " + m.String()
	}
	return "the database has tables that do not fit; nothing was changed:\n" + strings.Join(lines, "\n")
}

// The types that a column may have, the one that the engine itself makes first.
var (
	anID      = []string{"uuid"}
	aText     = []string{"text", "varchar"}
	aTime     = []string{"timestamptz"}
	aFlag     = []string{"bool"}
	aDocument = []string{"jsonb"}
	aCount    = []string{"int4", "int8"}
	aRate     = []string{"numeric", "float8"}
	aShare    = []string{"float8"}
	anInteger = []string{"int4"}
)

// productColumn is a column of a table of the product.
type productColumn struct {
	name  string
	types []string
	ours  bool // added by a migration where it is missing
	key   bool // unique by itself

	nullable bool // the engine writes null, which nothing can stand for

	derived string // what it is generated from; empty: it is not
}

// totalEngagement is what the product counts as engagement of a tweet.
const totalEngagement = `coalesce(retweet_count, 0) + coalesce(reply_count, 0) + coalesce(like_count, 0) + coalesce(quote_count, 0)`

const trackingTable = "twitter_engagement_tracking"

// productTables are the tables of the product, with the columns that the engine reads or
// writes.
func productTables() map[string][]productColumn {
	columns := func(types []string, names ...string) (list []productColumn) {
		for _, n := range names {
			list = append(list, productColumn{name: n, types: types})
		}
		return list
	}
	ours := func(types []string, names ...string) []productColumn {
		list := columns(types, names...)
		for i := range list {
			list[i].ours = true
		}
		return list
	}
	nullable := func(types []string, names ...string) []productColumn {
		list := columns(types, names...)
		for i := range list {
			list[i].nullable = true
		}
		return list
	}
	key := []productColumn{{name: "id", types: anID, key: true}}
	counts := append(columns(aCount, CountColumns[:]...), productColumn{name: "total_engagement", types: aCount, derived: totalEngagement})
	return map[string][]productColumn{
		"clients":  slices.Concat(key, columns(aText, "name"), columns(aFlag, "is_active")),
		"profiles": slices.Concat(columns(anID, "id", "client_id"), columns(aText, "role")),
		"zones": slices.Concat(key, columns(aText, "name"), columns(anID, "client_id"), columns(aFlag, "is_active"),
			columns(aDocument, "settings")),
		"twitter_rules": slices.Concat(columns(anID, "zone_id"), columns(aText, "external_rule_id"), columns(aFlag, "is_active")),
		"twitter_tweets": slices.Concat(key, columns(anID, "zone_id"), columns(aText, "tweet_id", "text"),
			columns(aTime, "twitter_created_at", "collected_at", "created_at", "updated_at"), columns(aDocument, "raw_data"),
			counts, ours(aDocument, "predictions")),
		HistoryTable: slices.Concat(columns(anID, "id", "tweet_id"), columns(aTime, "snapshot_at", "created_at"), counts,
			columns(aCount, DeltaColumns[:]...), columns(aRate, "engagement_velocity"), ours(aText, "provider"), ours(aFlag, "provider_changed", "pushed")),
		trackingTable: slices.Concat(columns(anID, "id"), []productColumn{{name: "tweet_db_id", types: anID, key: true}},
			columns(aText, "tier"), nullable(aTime, "last_updated_at", "next_update_at"), columns(aTime, "created_at"), columns(anInteger, "update_count"),
			ours(anID, "claim_id", "zone_id"), ours(aTime, "claimed_until", "retry_at", "last_missed_at", "snapshot_at", "unrecorded_at", "signalled_at"),
			ours(anInteger, "attempts", "misses", "doubts"), ours(aText, "gone_reason", "snapshot_provider"), ours(aShare, "snapshot_velocity"),
			ours(aDocument, "activity", "gap"), ours([]string{"bytea"}, "activity_state"),
			ours(anInteger, "snapshot_retweets", "snapshot_replies", "snapshot_likes", "snapshot_quotes", "snapshot_views", "snapshot_bookmarks")),
	}
}

// foundColumn is a column of a table that is there.
type foundColumn struct {
	Table, Kind, Column, Type string

	Unique   bool
	Required bool // refuses null
	Filled   bool // has a value where none is given
}

// Misfits compares the product's tables that are there with what the engine needs. A
// table that is missing is none: a migration makes it.
func Misfits(ctx context.Context, conn *pgx.Conn) ([]Misfit, error) {
	wanted := productTables()
	const sql = `
		select c.relname, c.relkind::text, a.attname, t.typname, exists (
			select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null
			and i.indnkeyatts = 1 and i.indkey[0] = a.attnum),
			a.attnotnull, a.atthasdef or a.attidentity <> ''
		from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		join pg_type t on t.oid = a.atttypid
		where c.relnamespace = to_regnamespace('public') and c.relname = any($1::text[]) and c.relkind in ('r', 'p', 'v', 'm', 'f')`
	rows, err := conn.Query(ctx, sql, slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return nil, fmt.Errorf("read the tables of the database: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[foundColumn])
	if err != nil {
		return nil, fmt.Errorf("read the tables of the database: %w", err)
	}
	found := make(map[string]map[string]foundColumn)
	for _, c := range all {
		if found[c.Table] == nil {
			found[c.Table] = make(map[string]foundColumn)
		}
		found[c.Table][c.Column] = c
	}
	var misfits []Misfit
	for table, columns := range found {
		misfits = append(misfits, misfitsOf(table, columns, wanted[table])...)
	}
	tiers, err := tierMisfits(ctx, conn)
	if err != nil {
		return nil, err
	}
	misfits = append(misfits, tiers...)
	slices.SortFunc(misfits, func(a, b Misfit) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Column, b.Column))
	})
	return misfits, nil
}

// misfitsOf compares the columns of one table.
func misfitsOf(table string, found map[string]foundColumn, wanted []productColumn) (list []Misfit) {
	name := "public." + table
	kinds := map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table"}
	for _, c := range found {
		if kind := kinds[c.Kind]; kind != "" {
			return []Misfit{{Table: name, Found: kind, Want: "a table", Fix: "rename the table behind it to " + table + ", and keep its old name as the view"}}
		}
	}
	foreign := found["id"].Type != "" && found["id"].Type != "uuid"
	for _, w := range wanted {
		have, there := found[w.name]
		m := Misfit{Table: name, Column: w.name, Found: have.Type, Want: strings.Join(w.types, " or ")}
		switch {
		case !there && w.ours:
			continue
		case !there:
			m.Found, m.Fix = "missing", fmt.Sprintf("alter table %s add column %s %s", name, w.name, w.types[0])
			if w.derived != "" {
				m.Fix += " generated always as (" + w.derived + ") stored"
			}
		case !slices.Contains(w.types, have.Type):
			m.Fix = fmt.Sprintf("alter table %s alter column %s type %s, with a using clause that converts it", name, w.name, w.types[0])
		case w.key && !have.Unique:
			m.Found, m.Want = "not unique", "a primary key or unique constraint on it alone"
			m.Fix = fmt.Sprintf("alter table %s add unique (%s)", name, w.name)
		case w.nullable && have.Required:
			m.Found, m.Want = "not null", "null allowed"
			m.Fix = fmt.Sprintf("alter table %s alter column %s drop not null", name, w.name)
		default:
			continue
		}
		if foreign {
			m.Fix = "it looks like another application's table: give Gorgone a database of its own, or rename that table"
		}
		list = append(list, m)
	}
	if table != HistoryTable && table != trackingTable { // the product may insert all of its tweets itself
		return list
	}
	for _, c := range found {
		if c.Required && !c.Filled && !slices.ContainsFunc(wanted, func(w productColumn) bool { return w.name == c.Column }) {
			list = append(list, Misfit{
				Table: name, Column: c.Column, Found: "not null without a default", Want: "a default, or null allowed",
				Fix: fmt.Sprintf("alter table %s alter column %s drop not null", name, c.Column),
			})
		}
	}
	return list
}

// tierMisfits finds constraints on the tier alone that refuse one of those that the engine writes.
func tierMisfits(ctx context.Context, conn *pgx.Conn) ([]Misfit, error) {
	const table = "public." + trackingTable
	rows, err := conn.Query(ctx, `
		select c.conname, pg_get_expr(c.conbin, c.conrelid) from pg_constraint c
		join pg_attribute a on a.attrelid = c.conrelid and a.attname = 'tier'
		where c.conrelid = to_regclass('`+table+`') and c.contype = 'c' and c.conkey = array[a.attnum]`)
	if err != nil {
		return nil, fmt.Errorf("read the constraints of %s: %w", table, err)
	}
	type check struct{ Name, Expression string }
	checks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[check])
	if err != nil {
		return nil, fmt.Errorf("read the constraints of %s: %w", table, err)
	}
	var tiers []string
	for _, t := range engagement.Tiers() {
		tiers = append(tiers, string(t))
	}
	var list []Misfit
	for _, c := range checks {
		var refused *string
		// The expression is the table's own, which Postgres evaluates for every row anyway.
		if err := conn.QueryRow(ctx, `select string_agg(tier, ', ') from unnest($1::text[]) u (tier) where not (`+c.Expression+`)`, tiers).Scan(&refused); err != nil {
			return nil, fmt.Errorf("try the constraint %s of %s: %w", c.Name, table, err)
		}
		if refused != nil {
			list = append(list, Misfit{
				Table: table, Column: "tier", Found: "a constraint that refuses " + *refused, Want: "all of " + strings.Join(tiers, ", "),
				Fix: fmt.Sprintf("alter table %s drop constraint %s", table, pgx.Identifier{c.Name}.Sanitize()),
			})
		}
	}
	return list, nil
}
