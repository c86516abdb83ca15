package twitter

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// trouble is what an answer says of itself, beside its tweets: vendors and the gateways
// before them report faults in many forms, with 200 and with a list of tweets, which is
// empty or lacks some.
type trouble struct {
	told [len(troubleMembers)]bool // by member, of which the last one counts
}

// troubleMembers are those by which an answer tells of trouble, and what they tell.
var troubleMembers = [...]struct {
	name  string
	tells func(jsontext.Value) bool
}{
	{"error", something},
	{"errors", something},
	{"err", something},
	{"fault", something},
	{"exception", something},
	{"success", isFalse},
	{"ok", isFalse},
	{"code", refuses},
	{"status", refuses},
	{"statusCode", refuses},
	{"status_code", refuses},
}

// read reads the value of a member that may tell of trouble.
func (t *trouble) read(r *reader, name []byte) error {
	for i, m := range troubleMembers {
		if string(name) == m.name {
			v, err := r.ReadValue()
			t.told[i] = err == nil && m.tells(v)
			return err
		}
	}
	return r.skip()
}

// any reports whether there is any.
func (t *trouble) any() bool { return slices.Contains(t.told[:], true) }

// something reports whether a value is more than an empty one.
func something(v jsontext.Value) bool {
	switch v.Kind() {
	case 'n', 'f':
		return false
	case '"':
		return len(v) > len(`""`)
	case '0':
		return string(v) != "0"
	case '[', '{':
		return len(bytes.TrimSpace(v[1:len(v)-1])) > 0
	default:
		return true
	}
}

func isFalse(v jsontext.Value) bool { return v.Kind() == 'f' }

// refuses reports whether a value is a number that no success has, which may be
// written as text. Small numbers mean something else with every vendor.
func refuses(v jsontext.Value) bool {
	n, err := strconv.ParseFloat(string(bytes.Trim(v, `" `)), 64)
	return err == nil && (n < 0 || n >= http.StatusBadRequest)
}

// incomplete notes that something beside single tweets went wrong: silence about a tweet
// does not mean that it is missing. The error is that of the answer if it says nothing of
// any tweet.
func (p *page) incomplete(what string) error {
	fault := fmt.Errorf("%w: %s", ErrProviderFault, what)
	if !slices.ContainsFunc(p.outcomes, func(o outcome) bool { return o.state != unmentioned }) {
		return fault
	}
	for i := range p.outcomes {
		if p.outcomes[i].state == unmentioned {
			p.outcomes[i].err = fault
		}
	}
	return nil
}
