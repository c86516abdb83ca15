package worker_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
)

// publisher puts refreshes into the queue as another program does: with plain NATS.
type publisher struct {
	*engine

	nc *nats.Conn
}

func newPublisher(t *testing.T, o engineOptions) *publisher {
	t.Helper()
	e := newEngine(t, o)
	nc, err := nats.Connect(e.ground.NATS.ClientURL())
	testkit.Must(t, err)
	t.Cleanup(nc.Close)
	return &publisher{e, nc}
}

// publish publishes a message on a tweet's subject, and waits for the answer's event.
func (p *publisher) publish(tweet string, message any) (done queue.RefreshResult) {
	p.t.Helper()
	body, ok := message.([]byte)
	if !ok {
		var err error
		body, err = json.Marshal(message)
		testkit.Must(p.t, err)
	}
	answers, err := p.nc.SubscribeSync("t.done." + tweet)
	testkit.Must(p.t, err)
	defer func() { _ = answers.Unsubscribe() }()
	testkit.Must(p.t, p.nc.Flush())
	stored, err := p.nc.Request("t.refresh."+tweet, body, time.Minute)
	testkit.Must(p.t, err)
	var ack struct {
		Stream string
		Error  *struct{ Description string }
	}
	testkit.Must(p.t, json.Unmarshal(stored.Data, &ack))
	if ack.Stream != "T_REFRESH" || ack.Error != nil {
		p.t.Fatalf("the queue answered %s", stored.Data)
	}
	answer, err := answers.NextMsg(time.Minute)
	testkit.Must(p.t, err)
	testkit.Must(p.t, json.Unmarshal(answer.Data, &done))
	return done
}

// published is the message as docs/refreshes.md describes it.
type published struct {
	V         int       `json:"v"`
	RequestID uuid.UUID `json:"request_id"`
	TweetID   string    `json:"tweet_id"`
	Requester string    `json:"requester,omitempty"`
}

// publishOnly is refresh without a request row.
func (e *engine) publishOnly(tweet string) queue.RefreshResult {
	e.t.Helper()
	nc, err := nats.Connect(e.ground.NATS.ClientURL())
	testkit.Must(e.t, err)
	defer nc.Close()
	return (&publisher{e, nc}).publish(tweet, published{1, uuid.New(), tweet, ""})
}

const requests = `select count(*) from gorgone.refresh_requests`

func TestPublishedRefresh(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, engineOptions{tweets: 3})
	ids := p.track()
	p.run(p.worker(workerOptions{}))
	id := uuid.New()
	done := p.publish(ids[0], published{1, id, ids[0], ""})
	if done.Outcome != engagement.RequestUpdated || len(done.RequestIDs) != 1 || done.RequestIDs[0] != id || len(done.Rows) != 1 || !done.Rows[0].After.Likes.Known() {
		t.Errorf("%+v", done)
	}
	if r := p.ended(id); r.Outcome != engagement.RequestUpdated || r.TweetID != ids[0] {
		t.Errorf("its request: %+v", r)
	}
	again := p.publish(ids[0], published{1, uuid.New(), ids[0], ""})
	if again.Outcome != engagement.RequestCurrent || again.ObservedAt.IsZero() || len(again.Rows) != 1 || again.Rows[0].After != done.Rows[0].After {
		t.Errorf("a moment later: %+v", again)
	}
	if n := p.double.Stats().Calls; n != 1 {
		t.Errorf("%d calls", n)
	}
	if n := p.count(requests); n != 1 {
		t.Errorf("%d requests", n)
	}
	if done := p.publish("20", published{1, uuid.New(), "20", ""}); done.Outcome != engagement.RequestUntracked {
		t.Errorf("a tweet that is not tracked: %+v", done)
	}
}

// TestPublishedRefreshIsHeldToLimits as one that comes over HTTP: of the user whom it
// names, and of the day's budget.
func TestPublishedRefreshIsHeldToLimits(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, engineOptions{tweets: 3})
	ids := p.track()
	p.run(p.worker(workerOptions{}))
	user := "user:" + uuid.NewString()
	if done := p.publish(ids[0], published{1, uuid.New(), ids[0], user}); done.Outcome != engagement.RequestUpdated {
		t.Fatalf("%+v", done)
	}
	done := p.publish(ids[1], published{1, uuid.New(), ids[1], user})
	if done.Outcome != engagement.RequestFailed || done.Cause != engagement.CauseLimit || !done.RetryAt.After(p.clock.Database()) || done.Reason == "" {
		t.Errorf("too soon: %+v", done)
	}
	// The limits are those of the same user over HTTP.
	row, err := p.store.FindTweet(t.Context(), ids[2])
	testkit.Must(t, err)
	web := &refresh.Service{Requests: p.store, Queue: p.queue, Clock: p.clock}
	_, err = web.Submit(t.Context(), refresh.Request{Tweets: row, Caller: refresh.Caller{Name: user, Limits: store.Limits{Cooldown: time.Minute}}})
	if _, limited := errors.AsType[*store.LimitError](err); !limited {
		t.Errorf("over HTTP: %v", err)
	}
	if n := p.double.Stats().Calls; n != 1 || p.count(requests) != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestPublishedRefreshIsHeldToTheBudget(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, engineOptions{tweets: 2})
	ids := p.track()
	_, err := p.sql.Exec(t.Context(), `insert into gorgone.ledger (day, provider, zone_id, refresh, calls, tweets, credits, dollars)
		values ($1, 'twitterapi', $2, true, 1, 1, 15, 0.5)`, p.clock.Now().UTC(), p.zone)
	testkit.Must(t, err)
	spent := store.New(p.db, p.clock, store.Options{Budget: store.Budget{RefreshDay: 0.5}})
	p.run(p.worker(workerOptions{admission: &refresh.Admission{Requests: spent, Tweets: spent}}))
	done := p.publish(ids[0], published{1, uuid.New(), ids[0], ""})
	if done.Cause != engagement.CauseLimit || !done.RetryAt.After(p.clock.Database()) {
		t.Errorf("%+v", done)
	}
	if n := p.double.Stats().Calls; n != 0 || p.count(requests) != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestPublishedRefreshThatIsWrong(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, engineOptions{tweets: 2})
	ids := p.track()
	p.run(p.worker(workerOptions{}))
	wrong := []any{
		[]byte("refresh, please"),
		published{2, uuid.New(), ids[0], ""},
		published{1, uuid.Nil, ids[0], ""},
		published{1, uuid.New(), ids[1], ""}, // on the subject of another tweet
		published{1, uuid.New(), ids[0], "admin"},
	}
	for _, message := range wrong {
		done := p.publish(ids[0], message)
		if done.Outcome != engagement.RequestFailed || done.Cause != engagement.CauseUnreadable || done.Reason == "" {
			t.Errorf("%v: %+v", message, done)
		}
	}
	for _, letter := range p.awaitDeadLetters(len(wrong)) {
		if letter.Class != queue.ClassRefresh || letter.Reason == "" {
			t.Errorf("%+v", letter)
		}
	}
	taken := p.record(ids[1], time.Minute)
	if done := p.publish(ids[0], published{1, taken.ID, ids[0], ""}); done.Cause != engagement.CauseUnreadable {
		t.Errorf("the id of another tweet's request: %+v", done)
	}
	if r := p.ended(taken.ID); r.Outcome != engagement.RequestUpdated {
		t.Errorf("the other request: %+v", r)
	}
}
