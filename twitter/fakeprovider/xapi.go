package fakeprovider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// xMaxIDs is how many ids a call to X may hold.
const xMaxIDs = 100

// problems is where X's problem types live.
const problems = "https://api.x.com/2/problems/"

var xID = regexp.MustCompile(`^[0-9]{1,19}$`)

// xAPI is the dialect of the X API v2, in its old names or, by the setting, in
// those of August 2026.
type xAPI struct{ *Server }

func (xAPI) key(r *http.Request) string {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return ""
	}
	return token
}

func (xAPI) ids(r *http.Request) string { return r.URL.Query().Get("ids") }

// names returns what X calls things.
func (d xAPI) names() (fields, retweets, edits string) {
	if d.config.NewNames {
		return "post.fields", "repost_count", "edit_history_post_ids"
	}
	return "tweet.fields", "retweet_count", "edit_history_tweet_ids"
}

func (d xAPI) check(r *http.Request, ids []string) reply {
	fields, _, _ := d.names()
	for param := range r.URL.Query() {
		if param != "ids" && param != fields {
			return d.invalid(param, fmt.Sprintf("The query parameter [%s] is not one of [ids,%s]", param, fields))
		}
	}
	if len(ids) < 1 || len(ids) > xMaxIDs {
		return d.invalid("ids", fmt.Sprintf("The number of values in the `ids` query parameter list [%d] is not between 1 and %d", len(ids), xMaxIDs))
	}
	for _, id := range ids {
		if !xID.MatchString(id) {
			return d.invalid("ids", fmt.Sprintf("The `ids` query parameter value [%s] does not match ^[0-9]{1,19}$", id))
		}
	}
	return reply{}
}

// xCap is the number of posts that may be read in a month.
const xCap = 3_000_000

// account answers GET /2/usage/tweets: X counts what was read, and here a post is
// worth what a tweet is at twitterapi.io.
func (xAPI) account(credits int64) reply {
	left := min(credits/creditsPerTweet, xCap)
	return text(http.StatusOK, fmt.Sprintf(`{"data":{"cap_reset_day":1,"project_cap":"%d","project_id":"1700000000000000001","project_usage":"%d"}}`, xCap, xCap-left))
}

func (xAPI) invalid(param, message string) reply {
	body, err := json.Marshal(map[string]any{
		"errors": []any{map[string]any{"parameters": map[string]any{param: []string{}}, "message": message}},
		"title":  "Invalid Request",
		"detail": "One or more parameters to your request was invalid.",
		"type":   problems + "invalid-request",
	})
	if err != nil {
		panic(fmt.Sprintf("fakeprovider: texts do not marshal: %v", err)) // they always do
	}
	return reply{status: http.StatusBadRequest, body: body}
}

func (d xAPI) refuse(f Fault, a allowance, _ bool) reply {
	var r reply
	switch f {
	case ServerError:
		r = text(http.StatusServiceUnavailable, `{"title":"Service Unavailable","detail":"Service Unavailable","type":"about:blank","status":503}`)
	case NotJSON:
		r = text(http.StatusOK, htmlPage)
		r.header = map[string]string{"Content-Type": "text/html"}
		return r
	case StatusError:
		r = text(http.StatusOK, `{"errors":[{"title":"Internal Server Error","detail":"Something is broken.","type":"about:blank"}]}`)
	case OutOfCredit, CreditText:
		r = text(http.StatusPaymentRequired, `{"account_id":1700000000000000001,"title":"CreditsDepleted","detail":"Your enrolled account [1700000000000000001] does not have any credits to fulfill this request.","type":"`+problems+`credits"}`)
	case UsageCapped:
		// The rate limit's headers beside it are as good as new.
		r = text(http.StatusTooManyRequests, `{"account_id":1700000000000000001,"product_name":"standard-basic","title":"UsageCapExceeded","period":"Monthly","scope":"Product","detail":"Usage cap exceeded: Monthly product cap","type":"`+problems+`usage-capped"}`)
	case Unauthorized:
		r = text(http.StatusUnauthorized, `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`)
	case NotFound:
		r = text(http.StatusNotFound, `{"title":"Not Found","detail":"Not Found","type":"about:blank","status":404}`)
	case Challenge:
		return challenge()
	case RateLimited:
		r = text(http.StatusTooManyRequests, `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`)
	default:
		r = d.invalid("ids", "The `ids` query parameter has a value that is not valid")
	}
	r.header = d.header(a)
	return r
}

// header returns X's headers about the rate limit, when there is one.
func (xAPI) header(a allowance) map[string]string {
	if a.most == 0 {
		return nil
	}
	reset := time.Now().Add(max(a.until, time.Second))
	return map[string]string{
		"X-Rate-Limit-Limit":     strconv.Itoa(a.most),
		"X-Rate-Limit-Remaining": strconv.Itoa(a.remaining),
		"X-Rate-Limit-Reset":     strconv.FormatInt(reset.Unix()+1, 10),
	}
}

func (d xAPI) tweets(dst []byte, r *http.Request, looks []look) ([]byte, int) {
	fields, retweets, edits := d.names()
	asked := strings.Split(r.URL.Query().Get(fields), ",")
	var n int
	for i := range looks {
		l := &looks[i]
		if !l.shown() {
			continue
		}
		dst = append(dst, sep(n, `{"data":[`)...)
		n++
		dst = append(dst, `{"id":"`...)
		dst = append(dst, l.id...)
		dst = append(dst, `","text":"`...)
		dst = append(dst, d.texts[l.place%len(d.texts)]...)
		dst = append(dst, `","`+edits+`":["`...)
		dst = append(dst, l.id...)
		dst = append(dst, `"]`...)
		if slices.Contains(asked, "created_at") {
			dst = append(dst, `,"created_at":"`...)
			dst = time.UnixMilli(l.tweet.posted).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
			dst = append(dst, '"')
		}
		if slices.Contains(asked, "public_metrics") && l.fault != NoCounts {
			dst = d.metrics(dst, l, retweets)
		}
		dst = append(dst, '}')
	}
	open := `{`
	if n > 0 {
		open = `],`
	}
	dst = append(dst, open...)
	dst = d.errors(dst, looks)
	return append(dst, fmt.Sprintf(`"meta":{"result_count":%d}}`, n)...), n
}

// charged charges for a post once a UTC day and key, however often it is read.
func (d xAPI) charged(rec *Record, looks []look) int {
	var ids []string
	for i := range looks {
		if looks[i].shown() {
			ids = append(ids, looks[i].id)
		}
	}
	return d.perDay.charge(rec.Key, rec.At, ids)
}

func (xAPI) metrics(dst []byte, l *look, retweets string) []byte {
	type metric struct {
		name string
		n    int64
	}
	metrics := []metric{{retweets, l.retweets}, {"reply_count", l.replies}, {"like_count", l.likes}, {"quote_count", l.quotes}}
	if l.fault != NoViews {
		metrics = append(metrics, metric{"bookmark_count", l.bookmarks}, metric{"impression_count", l.views})
	}
	for i, m := range metrics {
		dst = append(dst, sep(i, `,"public_metrics":{`)...)
		dst = append(dst, `"`+m.name+`":`...)
		dst = strconv.AppendInt(dst, m.n, 10)
	}
	return append(dst, '}')
}

// errors appends the reasons for tweets left out.
func (d xAPI) errors(dst []byte, looks []look) []byte {
	var n int
	for i := range looks {
		l := &looks[i]
		var problem, title, detail string
		switch {
		case l.fault == Protected:
			problem, title, detail = "not-authorized-for-resource", "Authorization Error", "Sorry, you are not authorized to see the Tweet with ids: ["+l.id+"]."
		case l.fault == Deleted, l.tweet == nil:
			problem, title, detail = "resource-not-found", "Not Found Error", "Could not find tweet with ids: ["+l.id+"]."
		default:
			continue
		}
		dst = append(dst, sep(n, `"errors":[`)...)
		n++
		dst = append(dst, `{"value":"`+l.id+`","detail":"`+detail+`","title":"`+title+`","resource_type":"tweet","parameter":"ids","resource_id":"`+l.id+`","type":"`+problems+problem+`"}`...)
	}
	if n > 0 {
		dst = append(dst, "],"...)
	}
	return dst
}

// sep returns what goes in front of element n of a list.
func sep(n int, first string) string {
	if n == 0 {
		return first
	}
	return ","
}
