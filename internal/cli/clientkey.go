package cli

import (
	"context"
	"errors"

	"gorgone/internal/app"
	"gorgone/internal/cli/sources"
	"gorgone/store/keys"
	"gorgone/web/answers"
)

// clientKeys returns how the keys of clients do.
func (sh *shell) clientKeys(ctx context.Context, q *app.Queue, d *app.Database) ([]sources.ClientKey, error) {
	list, err := sh.process.KeyStates(ctx, sh.cfg, q, d)
	all := make([]sources.ClientKey, len(list))
	for i, k := range list {
		all[i] = sources.ClientKey{ClientKey: answers.ClientKeyOf(k.Key), State: k.Provider}
	}
	return all, err
}

// examineClientKeys says how the keys of clients do, and whether they can be opened here.
func (e *examination) examineClientKeys(ctx context.Context, q *app.Queue, d *app.Database) {
	list, err := e.clientKeys(ctx, q, d)
	if err != nil {
		e.report("client keys", err, "", "")
		return
	}
	for _, k := range list {
		fix, err := k.Fault()
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
