package drill

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"gorgone/internal/freeport"
	"gorgone/internal/lab/drill/hosts"
	"gorgone/internal/postgres"
)

// databases are the Postgres servers: one, or a primary and a synchronous standby, which
// change places when the primary is lost.
type databases struct {
	log  zerolog.Logger
	dirs []string // of each server
	port []int    // on which each listens, whatever it is
	host []*hosts.Host

	mu      sync.Mutex
	servers []*postgres.Server
	primary int // which of them takes writes
}

// start starts the servers.
func (d *databases) start(ctx context.Context, network *hosts.Network, o Options) error {
	d.log = o.Log
	d.dirs = []string{filepath.Join(o.Dir, "postgres")}
	if o.Standby {
		d.dirs = append(d.dirs, filepath.Join(o.Dir, "postgres-2"))
	}
	d.servers = make([]*postgres.Server, len(d.dirs))
	var err error
	if d.port, err = freeport.Find(ctx, len(d.dirs)); err != nil {
		return err
	}
	for i := range d.dirs {
		h, err := network.Host(databaseHost(i))
		if err != nil {
			return err
		}
		d.host = append(d.host, h)
	}
	if err := d.restart(ctx); err != nil || !o.Standby {
		return err
	}
	return d.follow(ctx)
}

// restart starts the primary, which has ended.
func (d *databases) restart(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.options(d.primary)
	o.Replicated = len(d.dirs) > 1
	server, err := postgres.Start(ctx, o)
	if err != nil {
		return err
	}
	d.servers[d.primary] = server
	return nil
}

func (d *databases) options(i int) postgres.Options {
	return postgres.Options{DataDir: d.dirs[i], Host: d.host[i].Address(), Port: d.port[i], Start: d.host[i].Start, Log: d.log}
}

// on is the host of the primary, or of the standby.
func (d *databases) on(which string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if which == standby {
		return databaseHost(1 - d.primary)
	}
	return databaseHost(d.primary)
}

func databaseHost(i int) string { return fmt.Sprintf("%s-%d", partPostgres, i+1) }

// crash ends the primary at once.
func (d *databases) crash() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.servers[d.primary].Crash()
}

// promote makes the standby the primary.
func (d *databases) promote(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.primary = 1 - d.primary
	return execute(ctx, d.servers[d.primary].URL(), `select pg_promote(true, 60)`)
}

// follow makes a standby of the server that is not the primary, from a copy of that, and
// has each commit wait for it.
func (d *databases) follow(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, primary := 1-d.primary, d.servers[d.primary].URL()
	if err := postgres.Remove(ctx, d.dirs[i], d.log); err != nil {
		return err
	}
	o := d.options(i)
	o.Primary = primary
	server, err := postgres.Start(ctx, o)
	if err != nil {
		return err
	}
	d.servers[i] = server
	if err := execute(ctx, primary, `alter system set synchronous_standby_names = '*'`, `select pg_reload_conf()`); err != nil {
		return err
	}
	for { // until then a commit may be lost with the primary
		err := execute(ctx, primary, `do $$ begin
			if not exists (select from pg_stat_replication where sync_state = 'sync' and state = 'streaming') then
				raise exception 'no standby is synchronous';
			end if;
		end $$`)
		if err == nil {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("wait for the standby: %w", err)
		}
	}
}

// execute runs statements on one server.
func execute(ctx context.Context, address string, statements ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing was left to send
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("have the database do %q: %w", sql, err)
		}
	}
	return nil
}

// stop ends the servers, the standby first.
func (d *databases) stop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var failed []error
	for i := range d.servers {
		if server := d.servers[(d.primary+1+i)%len(d.servers)]; server != nil {
			failed = append(failed, server.Stop())
		}
	}
	return errors.Join(failed...)
}

// addresses are those of the servers.
func (d *databases) addresses() (list []string) {
	for i, port := range d.port {
		list = append(list, d.host[i].At(port))
	}
	return list
}

// url is the address of all of them; clients use the one that takes writes.
func (d *databases) url() string {
	address := d.through(d.addresses())
	if len(d.port) > 1 {
		address += "&target_session_attrs=read-write"
	}
	return address
}

// through is the address of the servers by way of other hosts.
func (d *databases) through(addresses []string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, err := url.Parse(d.servers[d.primary].URL())
	if err != nil {
		panic(err) // our own address
	}
	return strings.Replace(d.servers[d.primary].URL(), u.Host, strings.Join(addresses, ","), 1)
}
