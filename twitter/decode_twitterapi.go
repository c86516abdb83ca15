package twitter

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// decodeTwitterAPI reads the body of a 200 from GET /twitter/tweets into the
// page. The error is that of the whole answer; then the page is not to be used.
func decodeTwitterAPI(body []byte, p *page) error { return decodeTweets(body, p, twitterAPITweet) }

// decodeTweets reads an object with a list of tweets, each of which element reads.
func decodeTweets(body []byte, p *page, element func(*reader, *page) error) error {
	r := newReader(body)
	var status string
	var tweets bool
	var trouble trouble
	object, err := r.members(func(name []byte) error {
		var err error
		switch string(name) {
		case "tweets":
			p.reset()
			tweets, err = r.elements(func() error { return element(r, p) })
		case "status":
			if status = ""; r.PeekKind() != '"' {
				return trouble.read(r, name)
			}
			var s []byte
			s, err = r.text()
			status = string(s)
		default:
			err = trouble.read(r, name)
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
	case status != "" && !strings.EqualFold(status, "success") && !strings.EqualFold(status, "ok"):
		return fmt.Errorf("%w: status 200 that reports %q: %s", ErrProviderFault, bounded(status), messageOf(body))
	case !tweets:
		return fmt.Errorf("%w: no list of tweets: %s", ErrMalformed, messageOf(body))
	case trouble.any():
		return p.incomplete("status 200 that reports an error: " + messageOf(body))
	}
	return nil
}

// twitterAPITweet reads one element of the list of tweets.
func twitterAPITweet(r *reader, p *page) error {
	var (
		c       counters
		created time.Time
		notice  notice
		repeats bool // it only repeats another tweet: so its text begins
		embeds  bool // or so the tweet that is embedded says
		id      elementID
	)
	object, err := r.members(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			return id.read(r)
		case "id_str":
			return id.readText(r)
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
		case "text":
			v, err := r.text()
			repeats = isRepeat(v)
			return err
		case "retweeted_tweet":
			embeds = r.PeekKind() == '{'
			return p.inside(r)
		case "quoted_tweet":
			return p.inside(r)
		case "type":
			v, err := r.text()
			notice.tombstone = bytes.Equal(v, []byte("tombstone"))
			return err
		case "unavailable":
			notice.unavailable = r.PeekKind() == 't'
			return r.skip()
		case "unavailableReason":
			notice.why, err = r.string()
			return err
		case "message":
			notice.message, err = r.string()
			return err
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
	of := id.value()
	o := c.outcome(answered, created)
	switch {
	case o.err != nil && notice.given():
		p.set(of, outcome{state: explained, reason: notice.reason()})
		if len(of) == 0 {
			return nil // it stands for one of those that are missing
		}
	case repeats || embeds:
		o = o.ofRetweet()
		fallthrough
	default:
		p.set(of, o)
	}
	if !p.has(of) {
		p.strays++
	}
	return nil
}

// elementID is the id of an element, of which there may be two copies. The buffers keep
// it while the rest of the element is read.
type elementID struct {
	id, text []byte
	number   bool // id was given as a number, which many a program rounds

	idBuf, textBuf [20]byte
}

func (e *elementID) read(r *reader) error {
	e.number = r.PeekKind() == '0'
	v, err := r.id()
	e.id = append(e.idBuf[:0], v...)
	return err
}

func (e *elementID) readText(r *reader) error {
	v, err := r.id()
	e.text = append(e.textBuf[:0], v...)
	return err
}

func (e *elementID) value() []byte {
	if len(e.id) == 0 || e.number && len(e.text) > 0 {
		return e.text
	}
	return e.id
}

// notice is what stands in the place of a tweet that is not shown.
type notice struct {
	tombstone, unavailable bool
	why, message           string
}

func (n *notice) given() bool { return n.tombstone || n.unavailable || n.why != "" }

// reason is the notice in the words of X.
func (n *notice) reason() string {
	said := strings.ToLower(n.why + " " + n.message)
	for _, known := range []struct{ word, reason string }{
		{"suspend", ReasonNotAuthorized},
		{"protect", ReasonNotAuthorized},
		{"limits who", ReasonNotAuthorized},
		{"authoriz", ReasonNotAuthorized},
		{"delet", ReasonNotFound},
		{"exist", ReasonNotFound},
		{"not found", ReasonNotFound},
		{"violat", ReasonDisallowed},
		{"rules", ReasonDisallowed},
	} {
		if strings.Contains(said, known.word) {
			return known.reason
		}
	}
	return ReasonUnavailable
}
