package budget

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Tenants are the zones and clients that have caps or weights of their own. A nil one is
// none. It is not changed once read.
type Tenants struct {
	zones   map[uuid.UUID]*tenant // that have caps, or whose client has
	clients map[uuid.UUID]*tenant // that have caps
	capped  bool
}

// tenant is a zone or a client.
type tenant struct {
	Owner
	caps   Caps
	client uuid.UUID   // of a zone
	zones  []uuid.UUID // of a client
	fault  error       // the caps are set and cannot be read
}

const selectTenants = `
	select z.id, z.name, z.client_id, coalesce((z.settings->'budget')::text, ''), c.client_id is not null,
		coalesce(c.budget::text, ''), coalesce((select p.name from public.clients p where p.id = z.client_id), '')
	from public.zones z left join gorgone.client_budgets c on c.client_id = z.client_id
	where z.settings ? 'budget' or c.client_id is not null
	order by z.id`

// QueueRead adds the statement that reads the tenants into t.
func QueueRead(b *pgx.Batch, t *Tenants) {
	b.Queue(selectTenants).Query(func(rows pgx.Rows) error {
		*t = Tenants{zones: make(map[uuid.UUID]*tenant), clients: make(map[uuid.UUID]*tenant)}
		var (
			zone, client            uuid.UUID
			name, own, its, itsName string
			hasBudget               bool
		)
		_, err := pgx.ForEachRow(rows, []any{&zone, &name, &client, &own, &hasBudget, &its, &itsName}, func() error {
			z := &tenant{Owner: Owner{"zone", zone, name}}
			z.caps, z.fault = ParseCaps(own)
			if z.fault != nil {
				z.caps = Caps{}
			}
			t.zones[zone], t.capped = z, t.capped || z.caps.capped()
			if !hasBudget {
				return nil
			}
			z.client = client
			c := t.clients[client]
			if c == nil {
				c = &tenant{Owner: Owner{"client", client, itsName}}
				if c.caps, c.fault = ParseCaps(its); c.fault != nil {
					c.caps = Caps{}
				}
				t.clients[client], t.capped = c, t.capped || c.caps.capped()
			}
			c.zones = append(c.zones, zone)
			return nil
		})
		return err
	})
}

// Empty reports whether no zone and no client has caps or a weight.
func (t *Tenants) Empty() bool { return t == nil || len(t.zones) == 0 }

// Capped reports whether any zone or client has a cap.
func (t *Tenants) Capped() bool { return !t.Empty() && t.capped }

// Bound reports whether what a zone spends counts for a cap, its own or its client's.
func (t *Tenants) Bound(zone uuid.UUID) bool { return t.Capped() && t.counts(zone) }

// counts reports whether what a zone spends counts for a cap.
func (t *Tenants) counts(zone uuid.UUID) bool {
	z := t.zones[zone]
	if z == nil {
		return false
	}
	c := t.clients[z.client]
	return z.caps.capped() || c != nil && c.caps.capped()
}

// capsOf returns the tenants whose caps a zone's spending counts for: itself and its client.
func (t *Tenants) capsOf(zone uuid.UUID) []*tenant {
	var all []*tenant
	if z := t.zones[zone]; z != nil {
		all = append(all, z)
		if c := t.clients[z.client]; c != nil {
			all = append(all, c)
		}
	}
	return all
}

// Books are what counts as spent by each zone whose spending counts for a cap and, under a
// client's id, by the zones that are no longer its own.
type Books map[uuid.UUID]Spent

// of returns what counts as spent by a tenant: by a zone, or by all zones of a client.
func (b Books) of(x *tenant) (sum Spent) {
	sum = b[x.ID]
	for _, zone := range x.zones {
		sum.add(b[zone])
	}
	return sum
}

// Ledger says where, when and at what price books are read.
type Ledger struct {
	Now   time.Time
	Tweet float64   // dollars that a look-up of a tweet may cost
	Open  time.Time // claims whose lease ended before are not answered any more
	SQL   string    // of what is spent: day, zone_id, refresh, dollars; its arguments are $1 to $4
	Args  []any     // of SQL
}

// canaries is how many tweets are billed for a look-up of one in a refresh: a canary beside
// it, and one more for fifty.
const canaries = 2.02

const selectBooks = `
	with pays as ( -- what a zone spends counts for its own id, and until the day that it left a client for that one's
		select u.id zone_id, u.id payer, 'infinity'::date until from unnest($5::uuid[]) u (id)
		union all
		select m.zone_id, m.client_id, m.left_on from gorgone.client_zones m where m.client_id = any($10::uuid[]) and m.left_on is not null
	)
	select x.zone_id,
		coalesce(sum(x.dollars) filter (where not x.committed and x.today), 0), coalesce(sum(x.dollars) filter (where not x.committed), 0),
		coalesce(sum(x.dollars) filter (where not x.committed and x.today and x.refresh), 0), coalesce(sum(x.dollars) filter (where not x.committed and x.refresh), 0),
		coalesce(sum(x.dollars) filter (where x.committed), 0), coalesce(sum(x.dollars) filter (where x.committed and x.refresh), 0)
	from (
		select o.payer zone_id, e.refresh, e.day = ($6::timestamptz at time zone 'UTC')::date today, false committed, e.dollars
		from (%s) e join pays o on o.zone_id = e.zone_id and e.day <= o.until
		union all
		select s.key::uuid, false, true, true, least(s.value::float8, ceil(b.tweets * b.open_rows / b.rows::float8) * 1.02 + 1) * $7::float8
		from gorgone.batches b cross join lateral jsonb_each_text(b.shares) s
		where b.done_at is null and b.claimed_until > $8::timestamptz and b.shares is not null
		union all
		select s.key::uuid, a.refresh, a.at >= date_trunc('day', $6::timestamptz, 'UTC'), a.until is not null, s.value::float8 * $7::float8
		from gorgone.set_aside a cross join lateral jsonb_each_text(a.shares) s
		where a.shares is not null and (a.until > $6::timestamptz or a.until is null and a.at >= date_trunc('month', $6::timestamptz, 'UTC'))
		union all
		select w.zone_id, true, true, true, count(distinct r.tweet_id) * $9::float8 * $7::float8
		from gorgone.refresh_requests r join public.twitter_tweets w on w.id = r.row_id
		where r.closed_at is null and r.deadline > $6::timestamptz and w.zone_id = any($5::uuid[])
		group by w.zone_id
	) x group by x.zone_id`

// QueueBooks adds the statement that reads the books into what books points to: what was
// spent, is claimed, asked for and set aside by every zone whose spending counts for a cap.
// One statement sees all of it at one moment, so money that moves from one to the other is
// counted once.
func (t *Tenants) QueueBooks(b *pgx.Batch, l Ledger, books *Books) {
	var zones []uuid.UUID
	for zone := range t.zones {
		if t.counts(zone) {
			zones = append(zones, zone)
		}
	}
	args := append(slices.Clone(l.Args), zones, l.Now, l.Tweet, l.Open, canaries, t.cappedClients())
	b.Queue(fmt.Sprintf(selectBooks, l.SQL), args...).Query(func(rows pgx.Rows) error {
		*books = make(Books)
		var (
			zone uuid.UUID
			s    Spent
		)
		_, err := pgx.ForEachRow(rows, []any{&zone, &s.Today, &s.Month, &s.RefreshToday, &s.RefreshMonth, &s.Committed, &s.RefreshCommitted}, func() error {
			(*books)[zone] = s
			return nil
		})
		return err
	})
}

// Short returns the cap that does not have so many dollars left for a zone; nil when each has.
func (t *Tenants) Short(books Books, zone uuid.UUID, dollars float64, refresh bool, now time.Time) *Shortage {
	if t.Empty() {
		return nil
	}
	for _, x := range t.capsOf(zone) {
		s := books.of(x)
		left, period := x.caps.left(s, refresh)
		if left+trace >= dollars && left > 0 {
			continue
		}
		short := &Shortage{Owner: x.Owner, Period: period, Cap: x.caps.Day, Spent: s.Today + s.Committed, Until: next(period, now)}
		if period == "month" {
			short.Cap, short.Spent = x.caps.Month, s.Month+s.Committed
		}
		return short
	}
	return nil
}

// trace is what sums of dollars in floating point may lack.
const trace = 1e-9

// State is a zone or client with its caps and what counts as spent by it.
type State struct {
	Owner
	Client uuid.UUID // of a zone whose client has caps; the zero id: of another
	Caps   Caps
	Spent  Spent
	Fault  string  // why the caps that are set cannot be read; "": they can
	Limits []Limit // the caps that are set
}

// States returns all tenants, clients first, each sorted by id.
func (t *Tenants) States(books Books, price float64, now time.Time) (all []State) {
	for _, tenants := range []map[uuid.UUID]*tenant{t.clients, t.zones} {
		for _, id := range sorted(tenants) {
			x := tenants[id]
			state := State{Owner: x.Owner, Client: x.client, Caps: x.caps, Spent: books.of(x)}
			if x.fault != nil {
				state.Fault = x.fault.Error()
			}
			state.limit("month", x.caps.Month, x.caps.SoftMonth, state.Spent.Month, state.Spent.RefreshMonth, price, now)
			state.limit("day", x.caps.Day, x.caps.SoftDay, state.Spent.Today, state.Spent.RefreshToday, price, now)
			all = append(all, state)
		}
	}
	return all
}

// limit adds a cap, if it is set.
func (s *State) limit(period string, hard, soft, spent, asked, price float64, now time.Time) {
	if hard > 0 || soft > 0 {
		owner := s.Owner
		s.Limits = append(s.Limits, Limit{
			Period: period, Owner: &owner, Dollars: hard, Soft: soft, Spent: spent, Kept: kept(hard, s.Spent, asked),
			Committed: s.Spent.Committed, Price: price, Next: next(period, now),
		})
	}
}

func sorted(m map[uuid.UUID]*tenant) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// QueueZones adds the statement that reads which part of a look-up of tweets is for which
// zone: each tweet counts the same, and in equal parts for its zones.
func QueueZones(b *pgx.Batch, tweets []string, shares *map[uuid.UUID]float64) {
	b.Queue(`
		select x.zone_id, sum(x.part) from (
			select w.zone_id, 1.0::float8 / count(*) over (partition by w.tweet_id) part
			from public.twitter_tweets w where w.tweet_id = any($1::text[])) x
		group by x.zone_id`, tweets).Query(func(rows pgx.Rows) error {
		*shares = make(map[uuid.UUID]float64)
		var (
			zone uuid.UUID
			part float64
		)
		_, err := pgx.ForEachRow(rows, []any{&zone, &part}, func() error {
			(*shares)[zone] = part / float64(len(tweets))
			return nil
		})
		return err
	})
}
