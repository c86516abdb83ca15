package fakeprovider

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// socialData is the dialect of SocialData: a POST with a list of ids, and the names of
// Twitter's first API.
type socialData struct{ *Server }

// socialDataMaxIDs is how many ids a call to SocialData may hold.
const socialDataMaxIDs = 100

func (d socialData) key(r *http.Request) string { return xAPI(d).key(r) }

// ids reads the list in the body, of texts or numbers.
func (socialData) ids(r *http.Request) string {
	var asked struct {
		IDs []json.RawMessage `json:"ids"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || r.Method != http.MethodPost || json.Unmarshal(body, &asked) != nil {
		return ""
	}
	ids := make([]string, len(asked.IDs))
	for i, id := range asked.IDs {
		ids[i] = strings.Trim(string(bytes.TrimSpace(id)), `"`)
	}
	return strings.Join(ids, ",")
}

func (d socialData) check(_ *http.Request, ids []string) reply {
	switch {
	case len(ids) == 0:
		return invalidIDs("The ids field is required.")
	case len(ids) > socialDataMaxIDs:
		return invalidIDs("The ids field must not have more than " + strconv.Itoa(socialDataMaxIDs) + " items.")
	}
	for _, id := range ids {
		if _, err := strconv.ParseUint(id, 10, 63); err != nil {
			return d.refuse(BadRequest, allowance{}, false)
		}
	}
	return reply{}
}

func invalidIDs(message string) reply {
	return text(http.StatusUnprocessableEntity, `{"message":"`+message+`","errors":{"ids":["`+message+`"]}}`)
}

func (d socialData) refuse(f Fault, a allowance, keyless bool) reply {
	switch f {
	case OutOfCredit, UsageCapped:
		return text(http.StatusPaymentRequired, `{"status":"error","message":"Insufficient balance"}`)
	case CreditText:
		return text(http.StatusOK, `{"status":"error","message":"Insufficient balance"}`)
	case Unauthorized:
		return text(http.StatusUnauthorized, `{"message":"Unauthenticated."}`)
	case RateLimited:
		r := text(http.StatusTooManyRequests, `{"message":"Too Many Attempts."}`)
		if d.config.RetryAfter {
			r.header = map[string]string{"Retry-After": strconv.Itoa(max(wholeSeconds(a.until), 1))}
		}
		return r
	case ServerError:
		return text(http.StatusInternalServerError, `{"status":"error","message":"Failed to fetch tweets, please try again later"}`)
	case StatusError:
		return text(http.StatusOK, `{"status":"error","message":"Failed to fetch tweets, please try again later"}`)
	case NotFound:
		return text(http.StatusNotFound, `{"status":"error","message":"Not Found"}`)
	case BadRequest:
		return invalidIDs("The ids.0 field must be a number.")
	default: // what stands in front of every provider
		return twitterAPI(d).refuse(f, a, keyless)
	}
}

// header returns none: the vendor documents none.
func (socialData) header(allowance) map[string]string { return nil }

func (d socialData) tweets(dst []byte, _ *http.Request, looks []look) ([]byte, int) {
	dst = append(dst, `{"tweets":[`...)
	var n int
	for i := range looks {
		l := &looks[i]
		if !l.shown() {
			continue
		}
		dst = append(dst, sep(n, "")...)
		n++
		dst = append(dst, `{"tweet_created_at":"`...)
		dst = time.UnixMilli(l.tweet.posted).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
		dst = append(dst, `","id":`+l.id+`,"id_str":"`+l.id+`","text":null,"full_text":"`...)
		dst = append(dst, d.texts[l.place%len(d.texts)]...)
		dst = append(dst, '"')
		for _, c := range []struct {
			name   string
			n      int64
			absent bool
		}{
			{"quote_count", l.quotes, l.fault == NoCounts},
			{"reply_count", l.replies, l.fault == NoCounts},
			{"retweet_count", l.retweets, l.fault == NoCounts},
			{"favorite_count", l.likes, l.fault == NoCounts},
			{"views_count", l.views, l.fault == NoViews || l.fault == NoCounts},
			{"bookmark_count", l.bookmarks, l.fault == NoViews || l.fault == NoCounts},
		} {
			dst = append(dst, `,"`+c.name+`":`...)
			if c.absent {
				dst = append(dst, "null"...)
				continue
			}
			dst = strconv.AppendInt(dst, c.n, 10)
		}
		dst = append(dst, `,"lang":"en","quoted_status":null,"retweeted_status":null}`...)
	}
	return append(dst, `]}`...), n
}

// charged charges for each tweet returned.
func (socialData) charged(rec *Record, _ []look) int { return rec.Returned }

// account answers GET /user with the cents left, at 0.02 a tweet.
func (socialData) account(credits int64) reply {
	return text(http.StatusOK, `{"balance":`+strconv.FormatInt(credits/creditsPerTweet/50, 10)+`}`)
}
