package twitter

import (
	"time"

	"gorgone/engagement"
)

// Embedded is a tweet that came inside another, as quotes and retweets hold the tweet that they
// are of, with its counts. It costs nothing.
type Embedded struct {
	ID        string
	Metrics   engagement.Metrics // all that every tweet has are known
	CreatedAt time.Time          // when it was posted; zero when not given or not readable
	At        time.Time          // when the call began, of a look-up; of a delivery see [Push]
	Call      int                // which call of the look-up gave it, from 1
	Provider  string             // of a delivery, whose names it has; empty of a look-up, which knows whom it asked
}

// embedded reads a tweet inside another, by the names that twitterapi.io has in answers and in
// its examples, and by those of SocialData. One that lacks a count, or is no tweet at all, is passed over: nothing was asked
// for, so nothing is owed.
func (r *reader) embedded() (e Embedded, ok bool, err error) {
	if r.PeekKind() != '{' {
		return e, false, r.skip()
	}
	var (
		c      counters
		id     elementID
		notice notice
	)
	object, err := r.members(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			return id.read(r)
		case "id_str":
			return id.readText(r)
		case "retweetCount", "retweet_count":
			return c.read(r, retweets)
		case "replyCount", "reply_count":
			return c.read(r, replies)
		case "likeCount", "like_count", "favorite_count":
			return c.read(r, likes)
		case "quoteCount", "quote_count":
			return c.read(r, quotes)
		case "viewCount", "view_count", "views_count":
			return c.read(r, views)
		case "bookmarkCount", "bookmark_count":
			return c.read(r, bookmarks)
		case "createdAt", "created_at", "tweet_created_at":
			v, err := r.text()
			e.CreatedAt = parseTime(v)
			return err
		case "unavailable":
			notice.unavailable = r.PeekKind() == 't'
			return r.skip()
		default:
			return r.skip()
		}
	})
	if err != nil || !object {
		return e, false, err
	}
	e.ID = string(id.value())
	m, unreadable := c.metrics()
	e.Metrics = m
	return e, !notice.given() && len(unreadable) == 0 && engagement.CheckTweetID(e.ID) == nil, nil
}
