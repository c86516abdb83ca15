package lookup

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/store"
)

// errUnaffordable refuses a call that the budget does not buy.
var errUnaffordable = errors.New("the budget does not buy another call")

// purse is the money of one look-up. Its tweets, each asked for once, count as spent since
// they were claimed or asked for. For a call beyond that money is set aside first: so all
// workers together spend no more than there is, whatever they call for.
type purse struct {
	tweets  Tweets
	refresh bool

	mu      sync.Mutex
	open    int         // tweets of the look-up whose answers are not written yet
	left    int         // tweets that may be called for with money that is taken and not spent
	extra   int         // tweets that were set aside for
	pending int         // tweets that the ledger may lack: of calls under way, and of those not written
	aside   []uuid.UUID // what was set aside
}

// newPurse returns the purse of a look-up of so many tweets, and of those that were handed
// to another worker before: it may have spent what counts for them.
func newPurse(t Tweets, class queue.Class, open, redelivered int) *purse {
	p := &purse{tweets: t, refresh: class == queue.ClassRefresh, open: open}
	p.left = store.Covered(open-redelivered, p.refresh)
	return p
}

// take takes the money for a call of so many tweets; ids are those of them that it is for.
func (p *purse) take(ctx context.Context, tweets int, ids []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if short := tweets - p.left; short > 0 {
		ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
		defer cancel()
		id := uuid.New()
		if err := p.tweets.SetAside(ctx, id, p.refresh, short, ids); err != nil {
			return fmt.Errorf("%w: %w", errUnaffordable, err)
		}
		p.extra, p.left = p.extra+short, p.left+short
		p.aside = append(p.aside, id)
	}
	p.left, p.pending = p.left-tweets, p.pending+tweets
	return nil
}

// settle says what a call has cost for which money was taken.
func (p *purse) settle(tweets, cost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.pending = p.left+tweets-cost, p.pending+cost-tweets
}

// closed says that so many tweets are looked up no more; written, that all calls so far are
// in the ledger. What counts as spent for the other tweets is no new money where a call for
// them was paid for already.
func (p *purse) closed(tweets int, written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open -= tweets
	if written {
		p.pending = 0
	}
	p.left = min(p.left, store.Covered(p.open, p.refresh)+p.extra-p.pending)
}

// end gives back what was set aside. What the ledger lacks is left until its time is over.
func (p *purse) end(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending > 0 || len(p.aside) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), databaseTimeout)
	defer cancel()
	return p.tweets.ReleaseAside(ctx, p.aside...)
}
