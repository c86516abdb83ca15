package lookup

import (
	"slices"
	"strconv"

	"gorgone/engagement"
	"gorgone/store/bill"
	"gorgone/twitter"
)

// usage is what the calls cost, by purpose.
func (r *response) usage() []bill.Calls {
	own := bill.Calls{
		Provider: r.Provider, Count: r.Calls, Failed: r.failedCalls, Time: r.Took,
		Billed: r.Billed - len(r.Reads), Lost: r.Lost, Canaries: r.canaries,
	}
	if r.provider != nil {
		own.Client = r.provider.Client
	}
	if len(r.LostReads) > 0 {
		own.Lost -= len(r.LostReads)
		own.Reads = readsOf(r.provider, nil, r.LostReads)
	}
	if r.group.repeated() {
		own.Purpose = bill.PurposeRetry
	}
	if len(r.canaryIDs) == 0 && len(r.Reads) == 0 {
		return append(r.controls, own)
	}
	control := bill.Calls{Provider: r.Provider, Client: own.Client, Purpose: bill.PurposeControl}
	reads := r.Reads
	if len(reads) == 0 {
		control.Billed = min(len(r.canaryIDs), own.Billed)
		own.Billed -= control.Billed
	} else {
		isCanary := func(read twitter.Read) bool { return slices.Contains(r.canaryIDs, strconv.FormatInt(read.TweetID, 10)) }
		of := slices.DeleteFunc(slices.Clone(reads), func(read twitter.Read) bool { return !isCanary(read) })
		control.Reads = readsOf(r.provider, of, nil)
		own.Reads = readsOf(r.provider, slices.DeleteFunc(slices.Clone(reads), isCanary), nil)
	}
	return append(r.controls, own, control)
}

// readsOf are the tweets that calls to a provider returned, and those whose answers were lost.
func readsOf(p *Provider, reads, lost []twitter.Read) (r bill.Reads) {
	for _, read := range reads {
		r.Tweets = append(r.Tweets, read.TweetID)
	}
	for _, read := range lost {
		r.Lost = append(r.Lost, read.TweetID)
	}
	if all := slices.Concat(reads, lost); len(all) > 0 {
		r.KeyID, r.Day = p.KeyID, engagement.UTCDay(all[0].At)
	}
	return r
}

// usage is what the trials cost.
func (t *trials) usage(p *Provider) bill.Calls {
	return bill.Calls{
		Provider: p.Name, Client: p.Client, Purpose: bill.PurposeControl, Count: t.calls, Failed: t.failed, Time: t.took,
		Billed: t.billed - len(t.reads), Reads: readsOf(p, t.reads, t.lostReads), Canaries: t.calls, Lost: t.lost - len(t.lostReads),
	}
}
