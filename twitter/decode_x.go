package twitter

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// decodeX reads the body of a 200 from GET /2/tweets into the page. The error is
// that of the whole answer; then the page is not to be used.
//
// X renamed tweets to posts in its specification in August 2026 and answers with
// either set of names, so both are read.
func decodeX(body []byte, p *page) error {
	r := newReader(body)
	var known bool        // the answer has one of the members we know
	var problems []string // of the whole answer, of no single tweet
	object, err := r.members(func(name []byte) error {
		var ok bool
		var err error
		switch string(name) {
		case "data":
			ok, err = r.elements(func() error { return xPost(r, p) })
		case "errors":
			ok, err = r.elements(func() error { return xProblem(r, p, &problems) })
		case "meta":
			ok, err = true, r.skip()
		default:
			err = r.skip()
		}
		known = known || ok
		return err
	})
	if err == nil {
		err = r.end()
	}
	switch {
	case err != nil:
		return badAnswer(err)
	case !object || !known:
		return fmt.Errorf("%w: neither posts nor errors: %s", ErrMalformed, messageOf(body))
	}
	if len(problems) == 0 {
		return nil
	}
	// Something beside single tweets went wrong: silence about a tweet does not
	// mean that it is missing.
	fault := fmt.Errorf("%w: %s", ErrProviderFault, bounded(strings.Join(problems, "; ")))
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

// xPost reads one element of data.
func xPost(r *reader, p *page) error {
	var c counters
	var created time.Time
	var id []byte
	var idBuf [20]byte
	var versions []string

	object, err := r.members(func(name []byte) error {
		switch string(name) {
		case "id":
			v, err := r.id()
			id = append(idBuf[:0], v...)
			return err
		case "created_at":
			v, err := r.text()
			created = parseTime(v)
			return err
		case "edit_history_tweet_ids", "edit_history_post_ids":
			_, err := r.elements(func() error {
				v, err := r.id()
				versions = append(versions, string(v))
				return err
			})
			return err
		case "public_metrics":
			c = counters{}
			return xMetrics(r, &c)
		default:
			return r.skip()
		}
	})
	if err != nil || !object {
		return err
	}
	p.returned++
	p.set(id, c.outcome(answered, created))
	for _, version := range versions {
		p.set([]byte(version), c.outcome(edited, created))
	}
	return nil
}

func xMetrics(r *reader, c *counters) error {
	_, err := r.members(func(name []byte) error {
		switch string(name) {
		case "retweet_count":
			return c.read(r, retweets)
		case "repost_count":
			return c.read(r, reposts)
		case "reply_count":
			return c.read(r, replies)
		case "like_count":
			return c.read(r, likes)
		case "quote_count":
			return c.read(r, quotes)
		case "bookmark_count":
			return c.read(r, bookmarks)
		case "impression_count":
			return c.read(r, views)
		default:
			return r.skip()
		}
	})
	return err
}

// xProblem reads one element of errors: why one of the tweets was left out, or
// what else went wrong.
func xProblem(r *reader, p *page, problems *[]string) error {
	var resource, value, kind, title, detail string
	object, err := r.members(func(name []byte) error {
		var into *string
		switch string(name) {
		case "resource_id":
			into = &resource
		case "value":
			into = &value
		case "type":
			into = &kind
		case "title":
			into = &title
		case "detail", "message":
			into = &detail
		default:
			return r.skip()
		}
		v, err := r.id()
		*into = string(v)
		return err
	})
	if err != nil || !object {
		return err
	}
	if _, asked := p.index[resource]; !asked {
		resource = value
	}
	_, asked := p.index[resource]
	// The host in front has been api.twitter.com and api.x.com.
	reason := kind[strings.LastIndexByte(kind, '/')+1:]
	missing := slices.Contains([]string{ReasonNotFound, ReasonNotAuthorized, ReasonUnavailable, ReasonDisallowed}, reason)
	switch {
	case asked && missing:
		p.set([]byte(resource), outcome{state: explained, reason: reason})
	case asked:
		err := fmt.Errorf("%w: X reports %q for the tweet: %s", ErrProviderFault, bounded(reason), bounded(title+": "+detail))
		p.set([]byte(resource), outcome{state: explained, err: err})
	default:
		*problems = append(*problems, bounded(title+": "+detail))
	}
	return nil
}
