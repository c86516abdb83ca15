package postgres

import (
	"context"
	"fmt"
	"strings"
)

const (
	// usualConns is how many connections a process opens at most unless told otherwise.
	usualConns = 12

	// sessionPoolerClients is how many clients Supabase's pooler takes in session mode, by
	// default, and sessionConns what a process may have of them: three processes, and some are
	// left for commands and for others.
	sessionPoolerClients = 15
	sessionConns         = 4

	// sessionPoolerPort and poolerDomain are where that pooler is.
	sessionPoolerPort = 5432
	poolerDomain      = ".pooler.supabase.com"
)

// DefaultConns returns how many connections a process opens at most to the database with the
// given url, unless told otherwise.
func DefaultConns(url string) int {
	config, err := parseURL(url)
	if err == nil && poolsSessions(config.ConnConfig.Host, config.ConnConfig.Port) {
		return sessionConns
	}
	return usualConns
}

func poolsSessions(host string, port uint16) bool {
	return strings.HasSuffix(host, poolerDomain) && port == sessionPoolerPort
}

// Room returns how many connections all processes of the engine together may have, and what
// sets that limit. It is 0 where a pooler is in between whose limit is not known.
func (db *DB) Room(ctx context.Context) (conns int, of string, err error) {
	cc := db.pool.Config().ConnConfig
	switch {
	case poolsSessions(cc.Host, cc.Port):
		return sessionPoolerClients, "Supabase's session pooler, by default", nil
	case db.pooled:
		return 0, "a pooler", nil
	}
	// Of sessions of other roles a role may see little more than that they are there.
	const sql = `
		select least(
			current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
				- coalesce(current_setting('reserved_connections', true), '0')::int
				- (select count(*)::int from pg_stat_activity where datid is not null
					and coalesce(backend_type, 'client backend') = 'client backend' and coalesce(application_name, '') not like 'gorgone%'),
			(select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
			(select nullif(datconnlimit, -1) from pg_database where datname = current_database()))`
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	if err := db.QueryRow(ctx, sql).Scan(&conns); err != nil {
		return 0, "", fmt.Errorf("read the limit of connections: %w", err)
	}
	return max(conns, 0), "the server, beside connections of others,", nil
}
