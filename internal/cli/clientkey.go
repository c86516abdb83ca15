package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"gorgone/internal/app"
	"gorgone/store/keys"
	"gorgone/throttle"
	"gorgone/web/answers"
)

// clientKey is how a client's own key does.
type clientKey struct {
	answers.ClientKey

	State *throttle.ProviderStatus `json:"state"` // null: the key was removed
}

// clientKeys returns how the keys of clients do.
func (sh *shell) clientKeys(ctx context.Context, q *app.Queue, d *app.Database) ([]clientKey, error) {
	list, err := sh.process.KeyStates(ctx, sh.cfg, q, d)
	all := make([]clientKey, len(list))
	for i, k := range list {
		all[i] = clientKey{answers.ClientKeyOf(k.Key), k.Provider}
	}
	return all, err
}

// String says in a line how the key is doing.
func (k clientKey) String() string {
	name := cmp.Or(k.Name, k.Client.String())
	switch {
	case k.State != nil:
		return fmt.Sprintf("%s (ends …%s): %s", name, k.Ends, providerLine(*k.State))
	case k.Shared:
		return name + ": removed; the shared key is used"
	default:
		return name + ": removed, and the shared key is not allowed: its tweets wait"
	}
}

// fault says why nothing is looked up by the key, and what to do.
func (k clientKey) fault() (err error, fix string) { //nolint:revive // the error is what is found
	name := cmp.Or(k.Name, k.Client.String())
	switch {
	case k.State == nil && k.Shared:
		return nil, ""
	case k.State == nil:
		return errors.New(k.String()), "gorgone key set, or gorgone key share"
	case k.State.Breaker.State != throttle.BreakerClosed:
		return fmt.Errorf("%s: %s is not called: %s", name, k.Provider, k.State.Breaker.Reason), "see the client's account, or gorgone key set; only its tweets wait"
	case k.State.PausedUntil != nil:
		return fmt.Errorf("%s: %s is not called until %s: %s", name, k.Provider, k.State.PausedUntil.Format(time.DateTime), k.State.PauseReason), "set the rate of its plan with gorgone key set --rate"
	}
	return nil, ""
}

// examineClientKeys says how the keys of clients do, and whether they can be opened here.
func (e *examination) examineClientKeys(ctx context.Context, q *app.Queue, d *app.Database) {
	list, err := e.clientKeys(ctx, q, d)
	if err != nil {
		e.report("client keys", err, "", "")
		return
	}
	for _, k := range list {
		err, fix := k.fault()
		e.report("client key", err, k.String(), fix)
	}
	sealer, err := keys.ParseSecrets(string(e.cfg.KeySecrets.Sealing))
	if err != nil {
		return // it was said above
	}
	stored, err := d.Keys.List(ctx)
	for _, k := range stored {
		if k.Removed {
			continue
		}
		if _, fault := sealer.Open(k); fault != nil {
			err = errors.Join(err, fault)
		}
	}
	if len(stored) > 0 {
		e.report("key secrets", err, "they open all keys of clients", "set GORGONE_KEY_SECRETS here as workers have it, if it is set there")
	}
}
