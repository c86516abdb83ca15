package budget

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// QueueCommit adds what is read wherever money is committed: the books, and before them the
// record of which zones are of which client with caps. So a zone is on record before it
// spends, and what it has spent counts for its client when it is deleted, or is another's.
func (t *Tenants) QueueCommit(b *pgx.Batch, l Ledger, books *Books) {
	t.queueMembers(b, l.Now)
	t.QueueBooks(b, l, books)
}

// queueMembers adds the statements that keep the record; none without clients with caps.
func (t *Tenants) queueMembers(b *pgx.Batch, now time.Time) {
	clients := t.cappedClients()
	if len(clients) == 0 {
		return
	}
	// Only what changes is written.
	const join = `
		insert into gorgone.client_zones as m (client_id, zone_id)
		select z.client_id, z.id from public.zones z
		where z.client_id = any($1::uuid[])
		and not exists (select from gorgone.client_zones h where h.client_id = z.client_id and h.zone_id = z.id and h.left_on is null)
		order by 1, 2
		on conflict (client_id, zone_id) do update set left_on = null`
	const leave = `
		update gorgone.client_zones m set left_on = ($2::timestamptz at time zone 'UTC')::date
		where m.client_id = any($1::uuid[]) and m.left_on is null
		and not exists (select from public.zones z where z.id = m.zone_id and z.client_id = m.client_id)`
	b.Queue(join, clients)
	b.Queue(leave, clients, now)
}

// cappedClients lists the clients for whose caps it matters what is spent.
func (t *Tenants) cappedClients() (ids []uuid.UUID) {
	if t.Empty() {
		return nil
	}
	for _, id := range sorted(t.clients) {
		if t.clients[id].caps.capped() {
			ids = append(ids, id)
		}
	}
	return ids
}

// QueueForget adds the statement that takes zones off the record that left a client before
// the month.
func QueueForget(b *pgx.Batch, now time.Time) {
	b.Queue(`delete from gorgone.client_zones where left_on < date_trunc('month', $1::timestamptz, 'UTC') at time zone 'UTC'`, now)
}
