package keys_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/keys"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const theKey = "a-key-that-no-one-may-see-1234"

func secretOf(fill string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, 32)))
}

func sealer(t *testing.T, secrets ...string) *keys.Sealer {
	t.Helper()
	s, err := keys.ParseSecrets(strings.Join(secrets, ","))
	testkit.Must(t, err)
	return s
}

// TestSecretsThatAreWrong: the error says what to do, and shows nothing of them.
func TestSecretsThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"word", secretOf("a")[:20], secretOf("a") + ",", base64.StdEncoding.EncodeToString([]byte("short")), "!" + secretOf("a")} {
		if _, err := keys.ParseSecrets(bad); err == nil || !strings.Contains(err.Error(), "openssl rand -base64 32") || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	none := sealer(t)
	if err := none.Ready(); !errors.Is(err, keys.ErrNoSecret) {
		t.Errorf("without a secret: %v", err)
	}
}

type world struct {
	*storetest.Env
	keys    *keys.Store
	clients []uuid.UUID // with a zone each
	zones   []uuid.UUID
}

// newWorld makes three clients with a zone each, and a tweet that is in all of them beside
// one that is in each alone.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Env: storetest.New(t, postgres.ExecPrepared)}
	w.keys = keys.New(w.DB, w.Clock)
	tweets := storetest.NewTweets(w.Clock.Now(), 4)
	for i := range 3 {
		client := uuid.New()
		w.Exec(t, `insert into clients (id, name) values ($1, 'client')`, client)
		z, err := w.CreateZone(t.Context(), store.Zone{Name: "zone", ClientID: client})
		testkit.Must(t, err)
		w.clients, w.zones = append(w.clients, client), append(w.zones, z.ID)
		w.TrackIn(t, z.ID, []store.NewTweet{tweets[3], tweets[i]})
	}
	return w
}

func (w *world) set(t *testing.T, s *keys.Sealer, client uuid.UUID, shared bool) keys.Key {
	t.Helper()
	k, err := w.keys.Set(t.Context(), s, keys.Setting{Client: client, Provider: "p", Key: theKey, Shared: shared, By: "test"})
	testkit.Must(t, err)
	return k
}

// claim claims all that is due, as a process that has just started, and returns for each key the
// zones of the rows; stopped are clients whose keys cannot be used.
func (w *world) claim(t *testing.T, stopped ...uuid.UUID) map[uuid.UUID][]uuid.UUID {
	t.Helper()
	s := store.New(w.DB, w.Clock, store.Options{})
	c, err := s.Claim(t.Context(), store.ClaimRequest{
		Tweets: 100, BatchTweets: 10, BatchRows: 40, Lease: storetest.Lease,
		Key: func(client uuid.UUID) store.KeyState {
			if slices.Contains(stopped, client) {
				return store.KeyState{Stopped: "a test says so"}
			}
			return store.KeyState{Window: 10, Batch: 10}
		},
	})
	testkit.Must(t, err)
	by := make(map[uuid.UUID][]uuid.UUID)
	for _, b := range c.Batches {
		for _, row := range b.Rows() {
			by[b.Key] = append(by[b.Key], storetest.Scalar[uuid.UUID](t, w.Env, `select zone_id from twitter_tweets where id = $1`, row))
		}
		testkit.Must(t, s.Release(t.Context(), b.ClaimID, b.Rows()))
	}
	return by
}

// TestWhoseKey: each key's batches hold the rows of its client's zones only, those of clients
// without one the others; a key that is stopped or removed leaves its client's tweets to the
// shared one where that is allowed, and else to none.
func TestWhoseKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, other := w.clients[0], w.clients[1]
	s := sealer(t, secretOf("a"))
	expect := func(when string, got map[uuid.UUID][]uuid.UUID, want map[uuid.UUID][]int) {
		t.Helper()
		for key, zones := range got {
			if want[key] == nil {
				t.Errorf("%s: the key of %s was given rows of %v", when, key, zones)
			}
		}
		for key, zones := range want {
			for i, zone := range w.zones {
				n := 0
				if slices.Contains(zones, i) {
					n = 2
				}
				if have := len(slices.DeleteFunc(slices.Clone(got[key]), func(z uuid.UUID) bool { return z != zone })); have != n {
					t.Errorf("%s: the key of %s was given %d rows of zone %d, want %d", when, key, have, i, n)
				}
			}
		}
	}
	type want = map[uuid.UUID][]int
	expect("no keys", w.claim(t), want{keys.Shared: {0, 1, 2}})
	w.set(t, s, own, false)
	w.set(t, s, other, true)
	expect("two keys", w.claim(t), want{own: {0}, other: {1}, keys.Shared: {2}})
	expect("both are stopped", w.claim(t, own, other), want{keys.Shared: {1, 2}})
	expect("the shared one is stopped", w.claim(t, keys.Shared), want{own: {0}, other: {1}})
	expect("all are stopped", w.claim(t, keys.Shared, own, other), want{})
	testkit.Must(t, w.keys.Remove(t.Context(), own))
	testkit.Must(t, w.keys.Remove(t.Context(), other))
	expect("both are removed", w.claim(t), want{keys.Shared: {1, 2}})
	testkit.Must(t, w.keys.Share(t.Context(), own, true))
	expect("both may share", w.claim(t), want{keys.Shared: {0, 1, 2}})
	if err := w.keys.Remove(t.Context(), w.clients[2]); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("removed the key of a client without: %v", err)
	}
}

// TestBudgetOfTheInstallation pays for what its own key looks up, and stops nothing else.
func TestBudgetOfTheInstallation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(t, sealer(t, secretOf("a")), w.clients[0], false)
	s := store.New(w.DB, w.Clock, store.Options{Provider: "p", Prices: store.Prices{"p": {Dollars: 1}}, Budget: store.Budget{Day: 100, RefreshDay: 100}})
	testkit.Must(t, s.RecordCalls(t.Context(), false, store.Calls{Provider: "p", Client: w.clients[0], Count: 1, Billed: 500}))
	spent, err := s.Spending(t.Context())
	testkit.Must(t, err)
	if which, _ := spent.Exhausted(); which != "" || spent.Today != 0 {
		t.Errorf("%s is used up by another's key: %+v", which, spent)
	}
	_, err = s.CloseLedger(t.Context(), w.Clock.Now().Add(1))
	testkit.Must(t, err)
	testkit.Must(t, s.RecordCalls(t.Context(), false, store.Calls{Provider: "p", Count: 1, Billed: 99}))
	_, err = s.CloseLedger(t.Context(), w.Clock.Now().Add(1))
	testkit.Must(t, err)
	if spent, err = s.Spending(t.Context()); err != nil || spent.Today != 99 {
		t.Errorf("spent %+v, %v", spent, err)
	}
	list, err := s.Expenses(t.Context(), w.Clock.Now(), w.Clock.Now())
	testkit.Must(t, err)
	by := make(map[uuid.UUID]float64)
	for _, x := range list {
		by[x.Client] += x.Tweets
	}
	if by[w.clients[0]] != 500 || by[keys.Shared] != 99 {
		t.Errorf("the ledger: %v", by)
	}
}

// TestSealed: what is stored opens for its client and provider by the secret that sealed it, and
// by nothing else; it goes on to open while the secret is replaced.
func TestSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := secretOf("a"), secretOf("b")
	k := w.set(t, sealer(t, first), w.clients[0], false)
	w.set(t, sealer(t, first), w.clients[1], false)
	if k.Ends != "1234" || k.ID == "" || strings.Contains(k.ID, theKey) {
		t.Errorf("known by %+v", k)
	}
	if n := w.Count(t, `select count(*) from gorgone.client_keys k where strpos(k::text, $1) > 0 or strpos(encode(sealed, 'escape'), $1) > 0`, theKey); n != 0 {
		t.Errorf("%d rows show the key", n)
	}
	open := func(s *keys.Sealer) (opened string, err error) {
		list, e := w.keys.List(t.Context())
		testkit.Must(t, e)
		i := slices.IndexFunc(list, func(k keys.Key) bool { return k.Client == w.clients[0] })
		return s.Open(list[i])
	}
	for name, c := range map[string]struct {
		secrets []string
		opens   bool
	}{"its secret": {[]string{first}, true}, "behind another": {[]string{second, first}, true}, "another": {[]string{second}, false}, "none": {nil, false}} {
		key, err := open(sealer(t, c.secrets...))
		if (err == nil) != c.opens || c.opens && key != theKey || !c.opens && !errors.Is(err, keys.ErrNoSecret) {
			t.Errorf("%s: %q, %v", name, key, err)
		}
	}
	if n, err := w.keys.Reseal(t.Context(), sealer(t, second)); n != 0 || !errors.Is(err, keys.ErrNoSecret) {
		t.Errorf("resealed %d without the first secret: %v", n, err)
	}
	if n, err := w.keys.Reseal(t.Context(), sealer(t, second, first)); n != 2 || err != nil {
		t.Errorf("resealed %d: %v", n, err)
	}
	if key, err := open(sealer(t, second)); key != theKey || err != nil {
		t.Errorf("resealed: %q, %v", key, err)
	}
	// Another client's row, or another provider's, does not open with what was copied into it.
	for _, change := range []string{
		`update gorgone.client_keys a set sealed = b.sealed from gorgone.client_keys b where a.client_id = $1 and b.client_id = $2`,
		`update gorgone.client_keys set provider = 'q' where client_id in ($1, $2)`,
	} {
		w.Exec(t, change, w.clients[0], w.clients[1])
		if key, err := open(sealer(t, second)); err == nil || key != "" || errors.Is(err, keys.ErrNoSecret) {
			t.Errorf("after %s: %q, %v", change, key, err)
		}
	}
}

// TestKeysThatAreWrong are refused without being shown.
func TestKeysThatAreWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := sealer(t, secretOf("a"))
	for name, set := range map[string]keys.Setting{
		"empty": {Client: w.clients[0]}, "a space": {Client: w.clients[0], Key: "no key of mine"}, "a rate": {Client: w.clients[0], Key: theKey, Rate: -1},
		"no client": {Client: uuid.New(), Key: theKey},
	} {
		if _, err := w.keys.Set(t.Context(), s, set); err == nil || set.Key != "" && strings.Contains(err.Error(), set.Key) || (name == "no client") != errors.Is(err, keys.ErrClientNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.keys.Set(t.Context(), sealer(t), keys.Setting{Client: w.clients[0], Key: theKey}); !errors.Is(err, keys.ErrNoSecret) {
		t.Errorf("without a secret: %v", err)
	}
}
