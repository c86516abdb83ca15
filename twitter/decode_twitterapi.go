package twitter

import (
	"fmt"
	"time"
)

// decodeTwitterAPI reads the body of a 200 from GET /twitter/tweets into the
// page. The error is that of the whole answer; then the page is not to be used.
func decodeTwitterAPI(body []byte, p *page) error {
	r := newReader(body)
	var status string
	var tweets bool
	object, err := r.members(func(name []byte) error {
		var err error
		switch string(name) {
		case "tweets":
			p.reset()
			tweets, err = r.elements(func() error { return twitterAPITweet(r, p) })
		case "status":
			var s []byte
			s, err = r.text()
			status = string(s)
		default:
			err = r.skip()
		}
		return err
	})
	if err == nil {
		err = r.end()
	}
	switch {
	case err != nil:
		return badAnswer(err)
	case !object:
		return fmt.Errorf("%w: not a JSON object", ErrMalformed)
	case status != "" && status != "success":
		return fmt.Errorf("%w: status 200 that reports %q: %s", ErrProviderFault, bounded(status), messageOf(body))
	case !tweets:
		return fmt.Errorf("%w: no list of tweets: %s", ErrMalformed, messageOf(body))
	}
	return nil
}

// twitterAPITweet reads one element of the list of tweets.
func twitterAPITweet(r *reader, p *page) error {
	var c counters
	var created time.Time
	// Two copies of the id: its buffer is gone by the time all counts are read.
	var id, idStr []byte
	var idBuf, idStrBuf [20]byte

	object, err := r.members(func(name []byte) error {
		switch string(name) {
		case "id":
			v, err := r.id()
			id = append(idBuf[:0], v...)
			return err
		case "id_str":
			v, err := r.id()
			idStr = append(idStrBuf[:0], v...)
			return err
		case "retweetCount":
			return c.read(r, retweets)
		case "replyCount":
			return c.read(r, replies)
		case "likeCount":
			return c.read(r, likes)
		case "quoteCount":
			return c.read(r, quotes)
		case "viewCount":
			return c.read(r, views)
		case "bookmarkCount":
			return c.read(r, bookmarks)
		case "createdAt":
			v, err := r.text()
			created = parseTime(v)
			return err
		default:
			return r.skip()
		}
	})
	if err != nil || !object {
		return err
	}
	p.returned++
	if len(id) == 0 {
		id = idStr
	}
	p.set(id, c.outcome(answered, created))
	return nil
}
