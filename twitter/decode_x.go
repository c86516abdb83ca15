package twitter

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
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
	var trouble trouble
	object, err := r.members(func(name []byte) error {
		var ok bool
		var err error
		switch string(name) {
		case "data":
			if ok = r.PeekKind() == '{'; ok {
				err = xPost(r, p) // one, as of a look-up of one
			} else {
				ok, err = r.elements(func() error { return xPost(r, p) })
			}
		case "errors":
			if r.PeekKind() != '[' {
				return trouble.read(r, name)
			}
			ok, err = r.elements(func() error { return xProblem(r, p, &problems) })
		case "meta":
			ok, err = true, r.skip()
		default:
			err = trouble.read(r, name)
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
	if trouble.any() {
		problems = append(problems, messageOf(body))
	}
	if len(problems) == 0 {
		return nil
	}
	return p.incomplete(bounded(strings.Join(problems, "; ")))
}

// xPost reads one element of data.
func xPost(r *reader, p *page) error {
	var c counters
	var created time.Time
	var id []byte
	var idBuf [20]byte
	var versions []string
	var repeat bool // it only repeats another post

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
		case "text":
			v, err := r.text()
			repeat = isRepeat(v)
			return err
		case "public_metrics":
			c = counters{}
			return xMetrics(r, &c)
		default:
			return r.skip()
		}
	})
	if err != nil {
		return err
	}
	if !object {
		p.strays++ // it may stand for any of those that are missing
		return nil
	}
	p.returned++
	if n, err := strconv.ParseInt(string(id), 10, 64); err == nil { // without an id it is charged for by itself
		p.reads = append(p.reads, n)
	}
	if !p.has(id) && !slices.ContainsFunc(versions, func(v string) bool { return p.has([]byte(v)) }) {
		p.strays++
	}
	o := c.outcome(answered, created)
	if repeat {
		o = o.ofRetweet()
	}
	p.set(id, o)
	o.state = edited
	for _, version := range versions {
		p.set([]byte(version), o)
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

// bracketed matches the ids that X writes in its messages.
var bracketed = regexp.MustCompile(`\[(\d+)\]`)

// xProblem reads one element of errors: why one of the tweets was left out, or
// what else went wrong. A problem with an account or another post says nothing about the
// tweets that were asked for.
func xProblem(r *reader, p *page, problems *[]string) error {
	var resource, kind, title, detail string
	var ids, values []string
	object, err := r.members(func(name []byte) (err error) {
		var into *string
		switch string(name) {
		case "resource_id":
			ids, err = r.ids()
			return err
		case "value":
			values, err = r.ids()
			return err
		case "resource_type":
			into = &resource
		case "type":
			into = &kind
		case "title":
			into = &title
		case "detail", "message":
			into = &detail
		default:
			return r.skip()
		}
		v, err := r.text()
		*into = string(v)
		return err
	})
	if err != nil || !object {
		return err
	}
	about := slices.Concat(ids, values)
	for _, match := range bracketed.FindAllStringSubmatch(detail, -1) {
		about = append(about, match[1])
	}
	ofPost := resource == "" || resource == "tweet" || resource == "post"
	i := slices.IndexFunc(about, func(id string) bool { return p.has([]byte(id)) })
	// The host in front has been api.twitter.com and api.x.com.
	reason := kind[strings.LastIndexByte(kind, '/')+1:]
	switch {
	case !ofPost, resource != "" && i < 0 && len(about) > 0:
		return nil
	case i < 0:
		*problems = append(*problems, bounded(title+": "+detail))
	case slices.Contains([]string{ReasonNotFound, ReasonNotAuthorized, ReasonUnavailable, ReasonDisallowed}, reason):
		p.set([]byte(about[i]), outcome{state: explained, reason: reason})
	default:
		err := fmt.Errorf("%w: X reports %q for the tweet: %s", ErrProviderFault, bounded(reason), bounded(title+": "+detail))
		p.set([]byte(about[i]), outcome{state: explained, err: err})
	}
	return nil
}

// ids reads an id, or a list of them.
func (r *reader) ids() (ids []string, err error) {
	one := func() error {
		v, err := r.id()
		if len(v) > 0 {
			ids = append(ids, strings.Trim(string(v), "[]"))
		}
		return err
	}
	if r.PeekKind() != '[' {
		return ids, one()
	}
	_, err = r.elements(one)
	return ids, err
}
