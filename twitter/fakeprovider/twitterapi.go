package fakeprovider

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// htmlPage is what a proxy in front of a provider answers when that is down.
const htmlPage = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"

// twitterAPI is the dialect of twitterapi.io.
type twitterAPI struct{ *Server }

func (twitterAPI) key(r *http.Request) string { return r.Header.Get("X-Api-Key") }
func (twitterAPI) ids(r *http.Request) string { return r.URL.Query().Get("tweet_ids") }

func (d twitterAPI) check(_ *http.Request, ids []string) reply {
	switch {
	case len(ids) == 0:
		return text(http.StatusUnprocessableEntity, `{"detail":[{"type":"missing","loc":["query","tweet_ids"],"msg":"Field required","input":null}]}`)
	case len(ids) > d.config.MaxIDs:
		return text(http.StatusBadRequest, fmt.Sprintf(`{"detail":"max %d tweet_ids per request, please batch into multiple calls"}`, d.config.MaxIDs))
	}
	for _, id := range ids {
		if _, err := strconv.ParseUint(id, 10, 63); err != nil {
			return d.refuse(BadRequest, allowance{}, false)
		}
	}
	return reply{}
}

func (d twitterAPI) refuse(f Fault, a allowance, keyless bool) reply {
	switch f {
	case ServerError:
		r := text(http.StatusInternalServerError, htmlPage)
		r.header = map[string]string{"Content-Type": "text/html"}
		return r
	case NotJSON:
		r := text(http.StatusOK, htmlPage)
		r.header = map[string]string{"Content-Type": "text/html"}
		return r
	case StatusError:
		return text(http.StatusOK, `{"tweets":[],"status":"error","msg":"upstream is not available, please try again later","code":500}`)
	case OutOfCredit, UsageCapped:
		return text(http.StatusPaymentRequired, `{"error":"Unauthorized","message":"Credits is not enough.Please recharge"}`)
	case Unauthorized:
		if keyless {
			return text(http.StatusForbidden, `{"error":"Forbidden","message":"API key required. Please provide it in the X-API-Key header"}`)
		}
		return text(http.StatusUnauthorized, `{"error":"Unauthorized","message":"API key is invalid"}`)
	case RateLimited:
		r := text(http.StatusTooManyRequests, fmt.Sprintf(`{"error":"Too Many Requests","message":%q}`, d.limitMessage(a)))
		if d.config.RetryAfter {
			r.header = map[string]string{"Retry-After": strconv.Itoa(max(wholeSeconds(a.until), 1))}
		}
		return r
	case NotFound:
		return text(http.StatusNotFound, `{"detail":"Not Found"}`)
	case Challenge:
		return challenge()
	case CreditText:
		return text(http.StatusOK, `{"error":"Unauthorized","message":"Credits is not enough.Please recharge"}`)
	default:
		return text(http.StatusBadRequest, `{"detail":"invalid tweet_ids"}`)
	}
}

// challenge is the page with which an edge node in front of a provider answers now and
// then, whatever the key.
func challenge() reply {
	r := text(http.StatusForbidden, `<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>`)
	r.header = map[string]string{"Content-Type": "text/html; charset=UTF-8", "Cf-Mitigated": "challenge"}
	return r
}

func (d twitterAPI) limitMessage(a allowance) string {
	if a.window > time.Second {
		return fmt.Sprintf("For free-tier users, the QPS limit is one request every %d seconds.", wholeSeconds(a.window))
	}
	return fmt.Sprintf("The QPS limit is %d requests per second.", a.most)
}

// header returns none: this provider says nothing about its rate limit.
func (twitterAPI) header(allowance) map[string]string { return nil }

func (d twitterAPI) tweets(dst []byte, _ *http.Request, looks []look) ([]byte, int) {
	dst = append(dst, `{"tweets":[`...)
	var n int
	// Backwards, since nothing is promised about the order.
	for i := len(looks) - 1; i >= 0; i-- {
		l := &looks[i]
		if !l.shown() {
			continue
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		n++
		dst = d.templates.of(l).append(dst, l, d.texts[l.place%len(d.texts)])
	}
	return append(dst, `],"status":"success","msg":"success","code":0}`...), n
}

// charged charges for each tweet returned, and for one where none is.
func (twitterAPI) charged(rec *Record, _ []look) int { return max(rec.Returned, 1) }

// account answers GET /oapi/my/info with the credits left, of which a bonus is a part.
func (twitterAPI) account(credits int64) reply {
	bonus := credits / 10
	return text(http.StatusOK, fmt.Sprintf(`{"recharge_credits":%d,"total_bonus_credits":%d}`, credits-bonus, bonus))
}

func text(status int, body string) reply { return reply{status: status, body: []byte(body)} }

func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
