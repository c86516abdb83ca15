package answers

import (
	"time"

	"github.com/google/uuid"

	"gorgone/store/keys"
)

// ClientKey is what is told of a key that a client brought of its own. The key itself never is.
type ClientKey struct {
	Client   uuid.UUID `json:"client"`
	Name     string    `json:"name"`
	Provider string    `json:"provider"`
	Ends     string    `json:"ends"`   // the key's last characters; empty: it is short, or was removed
	Rate     float64   `json:"rate"`   // calls a second; 0: the provider's lowest plan
	Shared   bool      `json:"shared"` // the shared key may be used where this one cannot
	Removed  bool      `json:"removed"`
	SetAt    time.Time `json:"set_at"`
	SetBy    string    `json:"set_by"`
}

// ClientKeyOf names what is told of a key.
func ClientKeyOf(k keys.Key) ClientKey {
	return ClientKey{k.Client, k.Name, k.Provider, k.Ends, k.Rate, k.Shared, k.Removed, k.SetAt.UTC(), k.SetBy}
}

// ClientKeysOf is [ClientKeyOf] of each.
func ClientKeysOf(list []keys.Key) []ClientKey {
	all := make([]ClientKey, len(list))
	for i, k := range list {
		all[i] = ClientKeyOf(k)
	}
	return all
}
