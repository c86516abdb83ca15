package fakeprovider

import (
	"context"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// creditsPerTweet is what a tweet is billed with, in all dialects.
const creditsPerTweet = 15

// dialect is the wire format of one provider.
type dialect interface {
	// key returns the API key that a request brings.
	key(r *http.Request) string
	// ids returns the ids that a request asks for.
	ids(r *http.Request) string
	// check refuses a request that is wrong in itself; status 0 lets it pass.
	check(r *http.Request, ids []string) reply
	// refuse returns the answer for a fault that is a refusal. keyless tells a
	// missing key from a wrong one.
	refuse(f Fault, a allowance, keyless bool) reply
	// tweets appends an answer with what is known of the ids, and returns how many
	// tweets are in it.
	tweets(dst []byte, r *http.Request, looks []look) ([]byte, int)
	// charged returns how many tweets the call is billed for that returned those of looks that
	// are shown.
	charged(rec *Record, looks []look) int
	// account returns the answer about an account with so many credits.
	account(credits int64) reply
	// header returns the headers of an answer.
	header(a allowance) map[string]string
}

// reply is an answer to be sent.
type reply struct {
	status int // 0: there is none
	header map[string]string
	body   []byte
}

// look is one id of a look-up and what the population has for it.
type look struct {
	id    string
	tweet *tweet // nil when there is none, or not yet
	place int
	fault TweetFault
	counts
}

// lookup answers a call for tweets.
func (s *Server) lookup(w http.ResponseWriter, r *http.Request, d dialect) {
	rec := Record{At: s.config.Now(), Remote: r.RemoteAddr, Path: r.URL.Path, Key: keyHash(d.key(r))}
	s.log.begin(&rec)
	if list := d.ids(r); list != "" {
		rec.IDs = strings.Split(list, ",")
	}
	buffer := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buffer)

	way := s.way.Load()
	if !way.meets(rec.IDs) {
		way = new(Way)
	}
	if i := way.Instead; i != nil {
		s.send(w, reply{status: i.Status, header: i.Header, body: []byte(i.Body)}, &rec)
		return
	}
	answer := s.answer(d, r, &rec, (*buffer)[:0])
	if answer.status == http.StatusOK {
		*buffer = answer.body
	}
	s.delay(r.Context())
	if way.Distortion != "" && rec.Fault == "" && answer.status == http.StatusOK {
		s.distort(w, r, answer, &rec, way.Distortion)
		return
	}
	s.deliver(w, r, answer, &rec)
}

// admit refuses a call, whatever it asks for, when its key is not good, there were
// too many, or nothing works; status 0 lets it pass.
func (s *Server) admit(d dialect, r *http.Request, rec *Record) (a allowance, refusal reply) {
	if s.down.Load() {
		rec.Fault = ServerError
		return a, d.refuse(ServerError, a, false)
	}
	if key := d.key(r); s.refuseKey.Load() || s.config.Key != "" && key != s.config.Key {
		return a, d.refuse(Unauthorized, a, key == "")
	}
	if a = s.limit.take(rec.Started); !a.allowed {
		return a, d.refuse(RateLimited, a, false)
	}
	return a, reply{}
}

// balance answers what is left of the account.
func (s *Server) balance(w http.ResponseWriter, r *http.Request, d dialect) {
	rec := Record{At: s.config.Now(), Remote: r.RemoteAddr, Path: r.URL.Path, Key: keyHash(d.key(r))}
	s.log.begin(&rec)
	a, answer := s.admit(d, r, &rec)
	if answer.status == 0 {
		credits := s.credits.Load()
		if credits < 0 {
			credits = math.MaxInt32
		}
		answer = s.spoiledBalance(r, d, a, credits)
	}
	if answer.status == 0 { // the caller has given up
		s.log.end(rec)
		hangUp(w)
		return
	}
	s.send(w, answer, &rec)
}

// spoiledBalance answers what is left of the account, with the route's fault; status 0:
// there is no answer.
func (s *Server) spoiledBalance(r *http.Request, d dialect, a allowance, credits int64) reply {
	fault, _ := s.balanceFault.Load().(BalanceFault)
	switch fault {
	case BalanceGone:
		return d.refuse(NotFound, a, false)
	case BalanceError:
		return d.refuse(ServerError, a, false)
	case BalanceHangs:
		s.untilGivenUp(r)
		return reply{}
	case BalanceAbsent:
		return reply{status: http.StatusOK, header: d.header(a), body: []byte(`{"status":"success","data":{}}`)}
	case BalanceZero:
		credits = 0
	default:
	}
	answer := d.account(credits)
	answer.header = d.header(a)
	number := regexp.MustCompile(`:(\d+)([,}])`)
	switch fault {
	case BalanceFraction:
		answer.body = number.ReplaceAll(answer.body, []byte(`:$1.5$2`))
	case BalanceText:
		answer.body = number.ReplaceAll(answer.body, []byte(`:"$1.5 credits"$2`))
	default:
	}
	return answer
}

// answer makes the answer to a call, and bills it.
func (s *Server) answer(d dialect, r *http.Request, rec *Record, dst []byte) reply {
	allowance, refusal := s.admit(d, r, rec)
	if refusal.status != 0 {
		return refusal
	}
	if credits := s.credits.Load(); credits >= 0 && credits < creditsPerTweet {
		return d.refuse(OutOfCredit, allowance, false)
	}
	if refusal = d.check(r, rec.IDs); refusal.status != 0 {
		return refusal
	}
	rec.Fault = s.faults.ofCall()
	switch rec.Fault {
	case ServerError, StatusError, OutOfCredit, UsageCapped, Unauthorized, RateLimited, BadRequest, NotJSON, NotFound, Challenge, CreditText:
		return d.refuse(rec.Fault, allowance, false)
	default:
	}
	looks := s.look(rec)
	for _, l := range looks {
		switch l.fault {
		case BadTweet:
			return d.refuse(BadRequest, allowance, false)
		case FailingTweet:
			return d.refuse(ServerError, allowance, false)
		case HangingTweet:
			rec.Fault = Hang
			return reply{}
		default:
		}
	}
	for i := range looks {
		if !looks[i].shown() {
			rec.Absent = append(rec.Absent, looks[i].id)
		}
	}
	body, returned := d.tweets(dst, r, looks)
	body = misspelled(body, rec.Fault)
	rec.Returned = returned
	rec.Billed = creditsPerTweet * d.charged(rec, looks)
	s.bill(int64(rec.Billed))
	return reply{status: http.StatusOK, header: d.header(allowance), body: body}
}

var (
	likesName = regexp.MustCompile(`"(likeCount|like_count|favorite_count)":`)
	countName = regexp.MustCompile(`"(\w+Count|\w+_count)":`)
	viewsOf   = regexp.MustCompile(`"(viewCount|impression_count|views_count)":(\d+)`)
)

// misspelled returns an answer as a fault that is about its counters leaves it.
func misspelled(body []byte, f Fault) []byte {
	switch f {
	case RenamedLikes:
		return likesName.ReplaceAll(body, []byte(`"favorites":`))
	case RenamedCounts:
		return countName.ReplaceAll(body, []byte(`"total_$1":`))
	case OddViews:
		return viewsOf.ReplaceAll(body, []byte(`"$1":["$2"]`))
	default:
		return body
	}
}

// look reads the population for the ids of a call, with the faults on top.
func (s *Server) look(rec *Record) []look {
	p := s.config.Population
	looks := make([]look, len(rec.IDs))
	numbers := make([]int64, len(rec.IDs))
	for i, id := range rec.IDs {
		looks[i] = look{id: id}
		place, ok := p.find(id)
		if ok && rec.At.UnixMilli() >= p.tweets[place].posted {
			looks[i].tweet, looks[i].place = &p.tweets[place], place
			looks[i].counts = looks[i].tweet.countsAt(rec.At)
		}
		// A tweet outside the population can be asked for, and have faults, as well.
		numbers[i], _ = strconv.ParseInt(id, 10, 64)
	}
	for i, fault := range s.faults.ofTweets(numbers) {
		looks[i].fault = fault
	}
	for i := range looks {
		looks[i].spoil(rec.Fault)
	}
	return looks
}

// spoil lets the faults of a tweet and of its call change what is seen of it.
func (l *look) spoil(call Fault) {
	switch l.fault {
	case Zeroed:
		l.counts = counts{}
	case ZeroViews:
		l.views = 0
	case HugeViews:
		l.views = 3_000_000_000
	default:
	}
	switch call {
	case Empty:
		l.fault = Dropped
	case ZeroedViews:
		l.views = 0
	case ZeroedCounts:
		l.counts = counts{}
	default:
	}
}

// shown reports whether the tweet is in the answer.
func (l *look) shown() bool {
	switch l.fault {
	case Deleted, Protected, Dropped:
		return false
	default:
		return l.tweet != nil
	}
}

func (s *Server) bill(credits int64) {
	for {
		left := s.credits.Load()
		if left < 0 || s.credits.CompareAndSwap(left, max(left-credits, 0)) {
			return
		}
	}
}

// delay lets an answer take its time.
func (s *Server) delay(ctx context.Context) {
	d := s.config.Latency
	if s.config.Jitter > 0 {
		d += time.Duration(s.faults.float64() * float64(s.config.Jitter))
	}
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closed:
	}
}

// deliver sends an answer, or fails to in the way that the call's fault says.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, a reply, rec *Record) {
	half := a.body[:len(a.body)/2]
	switch rec.Fault {
	case Hang, Reset:
		s.log.end(*rec)
		if rec.Fault == Hang {
			s.untilGivenUp(r)
		}
		hangUp(w)
	case Truncated:
		a.body = half
		s.send(w, a, rec)
	case CutBody, SlowBody:
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		a.body = half
		s.send(w, a, rec)
		if rec.Fault == SlowBody {
			_ = http.NewResponseController(w).Flush() // a caller that is gone is found out below
			s.untilGivenUp(r)
		}
		panic(http.ErrAbortHandler)
	default:
		s.send(w, a, rec)
	}
}

// send records the call and writes the answer.
func (s *Server) send(w http.ResponseWriter, a reply, rec *Record) {
	rec.Status = a.status
	s.log.end(*rec)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	for name, value := range a.header {
		h.Set(name, value)
	}
	if h.Get("Content-Length") == "" {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller went away
}

func (s *Server) untilGivenUp(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.closed:
	}
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not a plain connection: close it instead
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // else it is closed politely
	}
	_ = conn.Close()
}
