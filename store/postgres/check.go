package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
// security, missing rights, broken indexes, and what is [DB.Exposed]. The error is for checks that could
// not be made.
func (db *DB) Check(ctx context.Context) ([]Finding, error) {
	return findings(ctx, db.checkWritable, db.checkMigrations, db.checkColumns, db.checkRights, db.checkOwner,
		db.checkVisible, db.checkTriggers, db.checkIndexes, db.checkPartitions, db.checkEncrypted, db.checkProfiles)
}

// usedTables returns the tables that the engine works on and the rights it needs.
func usedTables() map[string][]string {
	return map[string][]string{
		"public.zones":                       {"SELECT"},
		"public.clients":                     {"SELECT"},
		"public.twitter_tweets":              {"SELECT", "INSERT", "UPDATE"},
		"public.twitter_engagement_history":  {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"public.twitter_engagement_tracking": {"SELECT", "INSERT", "UPDATE"},
		"gorgone.clock":                      {"SELECT"},
		"gorgone.spending":                   {"SELECT", "INSERT", "DELETE"},
		"gorgone.bills":                      {"SELECT", "INSERT", "DELETE"},
		"gorgone.set_aside":                  {"SELECT", "INSERT", "DELETE"},
		"gorgone.day_passes":                 {"SELECT", "INSERT", "DELETE"},
		"gorgone.ledger":                     {"SELECT", "INSERT", "UPDATE"},
		"gorgone.balances":                   {"SELECT", "INSERT"},
		"gorgone.models":                     {"SELECT", "INSERT", "UPDATE"},
		"gorgone.history_consent":            {"SELECT", "INSERT", "UPDATE"},
		"gorgone.pauses":                     {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.client_keys":                {"SELECT", "INSERT", "UPDATE"},
		"gorgone.client_zones":               {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.look_price":                 {"SELECT", "INSERT", "UPDATE"},
		"gorgone.installation":               {"SELECT"},
		"gorgone.trials":                     {"SELECT", "INSERT", "UPDATE"},
		"gorgone.batches":                    {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.refresh_requests":           {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.trigger_answers":            {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.norm":                       {"SELECT", "INSERT", "UPDATE"},
		"gorgone.history_days":               {"SELECT", "INSERT", "DELETE"},
		"gorgone.history_merge":              {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.history_changes":            {"SELECT", "DELETE"},
		"gorgone.history_default":            {"SELECT", "DELETE"},
		"gorgone.qstash_tokens":              {"SELECT", "INSERT", "DELETE"},
		"gorgone.alert_rules":                {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.alerts":                     {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.alert_deliveries":           {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"gorgone.webhooks":                   {"SELECT", "INSERT", "UPDATE", "DELETE"},
		"public.twitter_rules":               {"SELECT"},
	}
}

// usedColumns returns the columns the engine reads or writes, as table.column.
func usedColumns() []string {
	var names []string
	for table, columns := range productTables() {
		for _, c := range columns {
			names = append(names, table+"."+c.name)
		}
	}
	return names
}

const runMigrate = "run gorgone migrate"

func (db *DB) checkMigrations(ctx context.Context) (Finding, error) {
	f := Finding{Check: "migrations"}
	have, want, err := db.SchemaVersion(ctx)
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

// checkWritable tells a standby, and a database or a role that is set to read only.
func (db *DB) checkWritable(ctx context.Context) (Finding, error) {
	f := Finding{Check: "writes", Detail: "taken"}
	err := db.Ping(ctx)
	if errors.Is(err, ErrReadOnly) {
		f.Detail = err.Error()
		f.Fix = "point DATABASE_URL at the primary, or reset default_transaction_read_only"
		return f, nil
	}
	return f, err
}

// checkOwner finds out whether this role may make partitions and drop them: that is the
// owner's to do, whatever other rights are granted.
func (db *DB) checkOwner(ctx context.Context) (Finding, error) {
	f := Finding{Check: "ownership", Detail: "sufficient"}
	lacking, err := db.names(ctx, `
		select what from (
			select c.oid::regclass::text as what, pg_has_role(c.relowner, 'USAGE') as may
			from pg_class c where c.oid = to_regclass('public.twitter_engagement_history') and c.relkind = 'p'
			union all
			select i.inhrelid::regclass::text, pg_has_role(c.relowner, 'USAGE')
			from pg_inherits i join pg_class c on c.oid = i.inhrelid
			where i.inhparent = to_regclass('public.twitter_engagement_history')
			union all
			select 'create in the schema gorgone', has_schema_privilege('gorgone', 'CREATE')
			where exists (select from pg_class c where c.oid = to_regclass('public.twitter_engagement_history') and c.relkind = 'p')
		) o where not may order by 1 limit 5`)
	if len(lacking) > 0 {
		f.Detail = "this role cannot make or drop history's partitions: it does not own " + strings.Join(lacking, ", ")
		f.Fix = "alter the owner of these tables to the role that the database url names, or make that role a member of the owner"
	}
	return f, err
}

func (db *DB) checkColumns(ctx context.Context) (Finding, error) {
	f := Finding{Check: "tables and columns"}
	missing, err := db.names(ctx, `
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

func (db *DB) checkRights(ctx context.Context) (Finding, error) {
	f := Finding{Check: "rights"}
	var tables, rights []string
	for table, needed := range usedTables() {
		for _, right := range needed {
			tables, rights = append(tables, table), append(rights, right)
		}
	}
	lacking, err := db.names(ctx, `
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
func (db *DB) checkVisible(ctx context.Context) (Finding, error) {
	f := Finding{Check: "row-level security"}
	var tables []string
	for table := range usedTables() {
		tables = append(tables, table)
	}
	slices.Sort(tables)
	hidden, err := db.names(ctx, `
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

func (db *DB) checkIndexes(ctx context.Context) (Finding, error) {
	f := Finding{Check: "indexes"}
	var bad []string
	for _, ix := range neededIndexes() {
		state, err := ix.state(ctx, db)
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

// maxStrays is up to how many snapshots without a partition are counted.
const maxStrays = 1_000_000

// checkPartitions finds snapshots that had no partition to go to.
func (db *DB) checkPartitions(ctx context.Context) (Finding, error) {
	f := Finding{Check: "history partitions", Detail: "history is not partitioned"}
	var partitioned bool
	err := db.QueryRow(ctx, `select to_regclass('gorgone.history_default') is not null`).Scan(&partitioned)
	if err != nil || !partitioned {
		return f, err
	}
	var strays, wrong int
	if err := db.QueryRow(ctx, `
		select count(*)::int4, count(*) filter (where snapshot_at < '2006-03-01' or not isfinite(snapshot_at))::int4
		from (select snapshot_at from gorgone.history_default limit $1::int4) h`, maxStrays+1).Scan(&strays, &wrong); err != nil {
		return f, err
	}
	f.Detail = "every snapshot is in its day's or month's"
	many := strconv.Itoa(strays)
	if strays > maxStrays {
		many = "more than " + strconv.Itoa(maxStrays)
	}
	switch {
	case wrong > 0:
		f.Detail = fmt.Sprintf("%d snapshots in gorgone.history_default have a time from before Twitter, for which no partition is made", wrong)
		f.Fix = "correct their snapshot_at, or delete them"
	case strays > 0:
		f.Detail = many + " snapshots are in the default partition: none had been made for their days in time"
		f.Fix = "let a dispatcher run: it moves them to partitions of their days, for ten seconds each minute; a transaction that stays open for hours, such as a dump's, keeps it from that"
	}
	return f, nil
}
