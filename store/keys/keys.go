package keys

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// ErrClientNotFound is returned for a client that does not exist, ErrNoKey for one that never
// had a key of its own.
var (
	ErrClientNotFound = errors.New("there is no such client")
	ErrNoKey          = errors.New("the client has no key of its own")
)

// Clock tells engine time.
type Clock interface{ Now() time.Time }

// Store keeps keys. It is safe for concurrent use.
type Store struct {
	db    *postgres.DB
	clock Clock
}

// New returns a Store on db.
func New(db *postgres.DB, clock Clock) *Store { return &Store{db: db, clock: clock} }

// Key is a client's key, or, once that was removed, what is left of it: whether the shared key
// may be used.
type Key struct {
	Client   uuid.UUID
	Name     string // of the client; empty: not known
	Provider string
	ID       string    // see [ID]
	Ends     string    // the last characters; empty of a short key
	Rate     float64   // calls a second that it allows; 0: the provider's lowest plan
	Shared   bool      // the shared key may be used where this one cannot
	SetAt    time.Time // engine time
	SetBy    string
	Removed  bool

	sealed   []byte
	secretID string
}

// Same reports whether calls are made in the same way with both.
func (k Key) Same(o Key) bool {
	return k.ID == o.ID && k.Provider == o.Provider && k.Rate == o.Rate && k.Removed == o.Removed && k.secretID == o.secretID && string(k.sealed) == string(o.sealed)
}

// Bounds of what may be set.
const (
	maxKey   = 4096
	mostRate = 100_000
	shownOf  = 12 // characters that a key must have for its last four to be shown
)

// Setting is a key to be set.
type Setting struct {
	Client   uuid.UUID
	Provider string
	Key      string
	Rate     float64
	Shared   bool
	By       string
}

// Check says what is wrong with a setting. It never shows the key.
func (s Setting) Check() error {
	switch {
	case s.Key == "":
		return errors.New("the key is empty")
	case len(s.Key) > maxKey:
		return fmt.Errorf("the key has more than %d characters", maxKey)
	case strings.ContainsFunc(s.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the key has a space, a line end, or a character that no key has")
	case !(s.Rate == 0 || s.Rate >= 0.001 && s.Rate <= mostRate):
		return fmt.Errorf("the rate is %g: want calls a second from 0.001 to %d, or 0 for the provider's lowest plan", s.Rate, mostRate)
	}
	return nil
}

// Set seals a key and stores it in place of the client's key before. All processes go by it
// within a minute. The error is [ErrClientNotFound], wraps [ErrNoSecret], or says what is wrong.
func (s *Store) Set(ctx context.Context, sealer *Sealer, set Setting) (Key, error) {
	const sql = `
		insert into gorgone.client_keys (client_id, provider, key_id, sealed, secret_id, ends, rate, shared, set_at, set_by)
		select c.id, $2::text, $3::text, $4::bytea, $5::text, $6::text, $7::float8, $8::bool, $9::timestamptz, $10::text
		from public.clients c where c.id = $1::uuid
		on conflict (client_id) do update set provider = excluded.provider, key_id = excluded.key_id, sealed = excluded.sealed,
			secret_id = excluded.secret_id, ends = excluded.ends, rate = excluded.rate, shared = excluded.shared,
			set_at = excluded.set_at, set_by = excluded.set_by`
	if err := set.Check(); err != nil {
		return Key{}, err
	}
	sealed, secretID, err := sealer.seal(set.Client, set.Provider, set.Key)
	if err != nil {
		return Key{}, err
	}
	k := Key{
		Client: set.Client, Provider: set.Provider, ID: ID(set.Provider, set.Key), Rate: set.Rate, Shared: set.Shared,
		SetAt: s.clock.Now(), SetBy: set.By, sealed: sealed, secretID: secretID,
	}
	if len(set.Key) >= shownOf {
		k.Ends = set.Key[len(set.Key)-4:]
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	tag, err := s.db.Exec(ctx, sql, k.Client, k.Provider, k.ID, k.sealed, k.secretID, k.Ends, k.Rate, k.Shared, k.SetAt, k.SetBy)
	if err != nil {
		return Key{}, fmt.Errorf("set the key of a client: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return Key{}, fmt.Errorf("%w: %s", ErrClientNotFound, set.Client)
	}
	return k, nil
}

// Remove deletes a client's key. Its tweets are then looked up by the shared key where that is
// allowed, and else wait.
func (s *Store) Remove(ctx context.Context, client uuid.UUID) error {
	return s.change(ctx, `update gorgone.client_keys set sealed = null, key_id = '', ends = '', secret_id = '' where client_id = $1::uuid`, client)
}

// Share says whether the shared key may be used for a client whose own cannot be, or was removed.
func (s *Store) Share(ctx context.Context, client uuid.UUID, allowed bool) error {
	return s.change(ctx, `update gorgone.client_keys set shared = $2::bool where client_id = $1::uuid`, client, allowed)
}

func (s *Store) change(ctx context.Context, sql string, args ...any) error {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	tag, err := s.db.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("change the key of a client: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrNoKey
	}
	return nil
}

// Reseal seals all keys with the first secret that another one sealed. It returns how many; an
// error leaves those as they were that it could not open.
func (s *Store) Reseal(ctx context.Context, sealer *Sealer) (n int, err error) {
	list, err := s.List(ctx)
	if err != nil {
		return 0, err
	}
	if err := sealer.Ready(); err != nil {
		return 0, err
	}
	var faults []error
	for _, k := range list {
		if k.Removed || k.secretID == sealer.secrets[0].id {
			continue
		}
		key, err := sealer.Open(k)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		sealed, secretID, err := sealer.seal(k.Client, k.Provider, key)
		if err == nil {
			// One that was set meanwhile stays.
			err = s.change(ctx, `update gorgone.client_keys set sealed = $2::bytea, secret_id = $3::text where client_id = $1::uuid and sealed = $4::bytea`,
				k.Client, sealed, secretID, k.sealed)
		}
		switch {
		case errors.Is(err, ErrNoKey):
		case err != nil:
			faults = append(faults, err)
		default:
			n++
		}
	}
	return n, errors.Join(faults...)
}

// List returns the keys of all clients, those removed included, by client.
func (s *Store) List(ctx context.Context) ([]Key, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, `
		select k.client_id, coalesce(c.name, ''), k.provider, k.key_id, k.ends, k.rate, k.shared, k.set_at, k.set_by, k.sealed, k.secret_id
		from gorgone.client_keys k left join public.clients c on c.id = k.client_id order by k.client_id`)
	if err != nil {
		return nil, fmt.Errorf("read the keys of clients: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (k Key, err error) {
		err = r.Scan(&k.Client, &k.Name, &k.Provider, &k.ID, &k.Ends, &k.Rate, &k.Shared, &k.SetAt, &k.SetBy, &k.sealed, &k.secretID)
		k.SetAt, k.Removed = k.SetAt.UTC(), k.sealed == nil
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the keys of clients: %w", err)
	}
	return list, nil
}
