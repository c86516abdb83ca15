package postgres

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Exposed looks for what lets others in that are no callers of ours: a connection that can
// be listened to, and users who can make themselves administrators. [DB.Check] looks for
// these too.
func (db *DB) Exposed(ctx context.Context) ([]Finding, error) {
	return findings(ctx, db.checkEncrypted, db.checkProfiles)
}

// checkEncrypted tells a connection to another network without TLS.
func (db *DB) checkEncrypted(ctx context.Context) (Finding, error) {
	f := Finding{Check: "encryption"}
	c, err := db.pool.Acquire(ctx)
	if err != nil {
		return f, err
	}
	defer c.Release()
	connection := c.Conn().PgConn().Conn()
	_, encrypted := connection.(*tls.Conn)
	var ip net.IP // nil: a socket of this machine
	if tcp, ok := connection.RemoteAddr().(*net.TCPAddr); ok {
		ip = tcp.IP
	}
	f.Detail, f.Fix = encryption(ip, encrypted)
	return f, nil
}

// encryption says how a connection is protected, and what to do about it.
func encryption(ip net.IP, encrypted bool) (detail, fix string) {
	switch {
	case encrypted:
		return "TLS", ""
	case ip == nil || ip.IsLoopback():
		return "not needed on this machine", ""
	case ip.IsPrivate() || ip.IsLinkLocalUnicast():
		return "none, inside a private network", ""
	}
	return "none: passwords and tweets cross the network in the clear",
		"add sslmode=verify-full (or require) to the database url"
}

// userRoles are the roles of Supabase that requests of the product's pages run as.
var userRoles = []string{"anon", "authenticated"}

// trustedColumns are those of profiles that decide what a user may do here.
var trustedColumns = []string{"client_id", "role"}

// checkProfiles finds out whether users can write what is believed of them: by a right on
// the column, and by a policy where row-level security is on.
func (db *DB) checkProfiles(ctx context.Context) (Finding, error) {
	f := Finding{Check: "profiles", Detail: "users cannot change their role or client"}
	exposed, err := db.names(ctx, `
		select r.rolname || ' may ' || lower(p.command) || ' ' || string_agg(a.attname, ' and ' order by a.attname)
		from pg_roles r
		cross join unnest(array['INSERT', 'UPDATE']) p (command)
		join pg_class c on c.oid = to_regclass('public.profiles')
		join pg_attribute a on a.attrelid = c.oid and a.attname = any($2::text[]) and not a.attisdropped
		where r.rolname = any($1::text[]) and has_schema_privilege(r.oid, 'public', 'USAGE')
		and has_column_privilege(r.oid, c.oid, a.attnum, p.command)
		and (not c.relrowsecurity or r.rolbypassrls or exists (
			select from pg_policy y
			where y.polrelid = c.oid and y.polpermissive and y.polcmd in ('*', case p.command when 'INSERT' then 'a' else 'w' end)
			and exists (select from unnest(y.polroles) t (id) where t.id = 0 or pg_has_role(r.oid, t.id, 'USAGE'))))
		group by r.rolname, p.command
		order by 1`, userRoles, trustedColumns)
	if err != nil || len(exposed) == 0 {
		return f, err
	}
	f.Detail = strings.Join(exposed, "; ") + " of public.profiles: users can make themselves administrators"
	f.Fix, err = db.profilesFix(ctx)
	return f, err
}

// profilesFix is the SQL that leaves users the columns of their profile that decide nothing.
func (db *DB) profilesFix(ctx context.Context) (string, error) {
	columns, err := db.names(ctx, `
		select quote_ident(a.attname) from pg_attribute a
		where a.attrelid = to_regclass('public.profiles') and a.attnum > 0 and not a.attisdropped and a.attname <> all($1::text[])
		order by a.attnum`, append([]string{"id"}, trustedColumns...))
	if err != nil {
		return "", err
	}
	roles, err := db.names(ctx, `select rolname from pg_roles where rolname = any($1::text[]) order by 1`, userRoles)
	if err != nil {
		return "", err
	}
	fix := "run as the table's owner: revoke insert, update on public.profiles from public, " + strings.Join(roles, ", ") + ";"
	if slices.Contains(roles, "authenticated") && len(columns) > 0 {
		fix += " grant update (" + strings.Join(columns, ", ") + ") on public.profiles to authenticated;"
	}
	return fix, nil
}

// findings makes checks, one after the other. The error is for checks that could not be
// made.
func findings(ctx context.Context, checks ...func(context.Context) (Finding, error)) (list []Finding, err error) {
	for _, check := range checks {
		f, err := check(ctx)
		if err != nil {
			return list, fmt.Errorf("check %s: %w", f.Check, err)
		}
		f.OK = f.Fix == ""
		list = append(list, f)
	}
	return list, nil
}

// names returns the strings that a query selects.
func (db *DB) names(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
