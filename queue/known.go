package queue

import (
	"encoding/json"
	"time"

	"gorgone/engagement"
)

// knownVersion is the version of a batch's field "known". Workers ignore versions that
// they don't know, and read the database instead.
const knownVersion = 1

// Known is what the dispatcher knew of the tweets of a batch when it claimed them, so that
// the worker needs not read it again.
type Known struct {
	At     time.Time               // of the claim
	States []engagement.PriorState // of each tweet of the batch, in their order
}

// knownBody is how it is sent: a digit for each tweet, the sum of observed and inDoubt.
type knownBody struct {
	V      int       `json:"v"`
	At     time.Time `json:"at"`
	Tweets string    `json:"tweets"`
}

const (
	observed = 1
	inDoubt  = 2
)

func (k *Known) encode() (json.RawMessage, error) {
	if k == nil {
		return nil, nil
	}
	digits := make([]byte, len(k.States))
	for i, s := range k.States {
		digits[i] = '0'
		if s.Observed {
			digits[i] += observed
		}
		if s.InDoubt {
			digits[i] += inDoubt
		}
	}
	return json.Marshal(knownBody{V: knownVersion, At: k.At, Tweets: string(digits)})
}

// decodeKnown returns what is known of so many tweets; nil when that is not readable,
// which costs a look into the database and nothing else.
func decodeKnown(field json.RawMessage, tweets int) *Known {
	var body knownBody
	if json.Unmarshal(field, &body) != nil || body.V != knownVersion || body.At.IsZero() || len(body.Tweets) != tweets {
		return nil
	}
	k := &Known{At: body.At, States: make([]engagement.PriorState, tweets)}
	for i := range k.States {
		bits := body.Tweets[i] - '0'
		if bits > observed|inDoubt {
			return nil
		}
		k.States[i] = engagement.PriorState{Observed: bits&observed != 0, InDoubt: bits&inDoubt != 0}
	}
	return k
}
