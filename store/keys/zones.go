package keys

import (
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Shared stands for the installation's own key, where else a client stands for theirs.
var Shared = uuid.Nil

// Owner is a client that has, or had, a key of its own.
type Owner struct {
	Client uuid.UUID
	HasKey bool
	Shared bool // see [Key.Shared]
}

// Zones are the zones of clients that have, or had, a key of their own. All others are looked
// up by the shared key. Nil is none. It is not changed once read.
type Zones map[uuid.UUID]Owner

// QueueRead adds the statement that reads the zones into z.
func QueueRead(b *pgx.Batch, z *Zones) {
	b.Queue(`
		select z.id, k.client_id, k.sealed is not null, k.shared
		from gorgone.client_keys k join public.zones z on z.client_id = k.client_id`).Query(func(rows pgx.Rows) error {
		var (
			zone  uuid.UUID
			owner Owner
		)
		*z = nil
		_, err := pgx.ForEachRow(rows, []any{&zone, &owner.Client, &owner.HasKey, &owner.Shared}, func() error {
			if *z == nil {
				*z = make(Zones)
			}
			(*z)[zone] = owner
			return nil
		})
		return err
	})
}

// Clients returns the clients that have a key, sorted.
func (z Zones) Clients() []uuid.UUID {
	has := make(map[uuid.UUID]bool)
	for _, o := range z {
		if o.HasKey {
			has[o.Client] = true
		}
	}
	return slices.SortedFunc(maps.Keys(has), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
}

// KeyOf returns whose key looks a zone's tweets up: a client's, or [Shared]. usable tells
// whether calls can be made by a client's key now. ok is false where there is none to use.
func (z Zones) KeyOf(zone uuid.UUID, usable func(client uuid.UUID) bool) (client uuid.UUID, ok bool) {
	o, own := z[zone]
	switch {
	case !own:
		return Shared, true
	case o.HasKey && (!o.Shared || usable == nil || usable(o.Client)):
		return o.Client, true
	default:
		return Shared, o.Shared
	}
}

// MayPay reports whether a zone pays for calls with a client's key, or [Shared].
func (z Zones) MayPay(zone, client uuid.UUID) bool {
	o, own := z[zone]
	if client == Shared {
		return !own || o.Shared
	}
	return o.Client == client
}
