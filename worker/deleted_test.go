package worker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/internal/enginetest"
	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/testkit"
	"gorgone/queue"
)

// asset is a stream on the server, which may be that of a bucket, or a consumer of one.
type asset struct{ stream, consumer string }

func (a asset) String() string { return strings.TrimSuffix(a.stream+"/"+a.consumer, "/") }

// assets asks the server for all streams, and all consumers that outlive their process.
func assets(t *testing.T, js jetstream.JetStream) map[asset]int {
	t.Helper()
	replicas := func(c *jetstream.ClusterInfo) int {
		if c == nil || c.Leader == "" {
			return 0
		}
		return 1 + len(c.Replicas)
	}
	found := make(map[asset]int)
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		found[asset{stream: info.Config.Name}] = replicas(info.Cluster)
		stream, err := js.Stream(t.Context(), info.Config.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		testkit.Must(t, err)
		consumers := stream.ListConsumers(t.Context())
		for c := range consumers.Info() {
			if c.Config.Durable != "" {
				found[asset{info.Config.Name, c.Name}] = replicas(c.Cluster)
			}
		}
		testkit.Must(t, consumers.Err())
	}
	testkit.Must(t, streams.Err())
	return found
}

// TestEachStreamBucketAndConsumerIsDeletedLive: on a cluster all that the engine keeps is on
// three servers. Each of it is deleted by an operator while work goes on. It is there again,
// on three servers, and nothing is lost or counted twice: each tweet has the one point of its
// look-up, a refresh is answered, there is no dead letter, and the provider saw no more calls a
// second than the rate.
func TestEachStreamBucketAndConsumerIsDeletedLive(t *testing.T) {
	t.Parallel()
	const share, batch, rate = 200, 10, 20
	cluster := natstest.StartCluster(t, 3)
	js, err := jetstream.New(cluster.Connect(t))
	testkit.Must(t, err)
	e := newEngine(t, engineOptions{tweets: 4000, cluster: cluster, lease: 20 * time.Second, ackWait: 4 * time.Second})
	d := dispatcher.New(dispatcher.Config{
		Every: 200 * time.Millisecond, BatchTweets: batch, Window: dispatcher.Window{Lease: e.queue.Lease(), First: 1000},
	}, e.store, e.queue, connectedGate{e.conn}, e.clock, zerolog.Nop())
	e.runBeside(d.Run)
	e.run(e.worker(workerOptions{rate: rate}), e.worker(workerOptions{rate: rate}))

	var all map[asset]int
	poll(t, "everything is on three servers", func() bool {
		all = assets(t, js)
		return len(all) > 0 && !slices.ContainsFunc(values(all), func(n int) bool { return n != 3 })
	})
	if len(all) < 10 {
		t.Fatalf("only %d streams and consumers: %v", len(all), all)
	}
	tweets, tracked := enginetest.Tweets(e.double), 0
	for victim := range all {
		_, err := e.store.Track(t.Context(), e.zone, tweets[tracked:tracked+share])
		testkit.Must(t, err)
		tracked += share
		poll(t, "a third of the work is done", func() bool { return e.count(updatedOnce) >= tracked-share*2/3 })
		began := time.Now()
		poll(t, victim.String()+" is deleted", func() bool { return victim.remove(t, js) })
		asked := e.record(tweets[tracked-1].TweetID, time.Minute)
		poll(t, "a refresh is published", func() bool {
			_, err := e.queue.PublishRefresh(t.Context(), queue.Refresh{RequestID: asked.ID, TweetID: asked.TweetID, RequestedAt: asked.RequestedAt, Deadline: asked.Deadline})
			return err == nil
		})
		if done := e.ended(asked.ID); done.Outcome != engagement.RequestUpdated && done.Outcome != engagement.RequestCurrent {
			t.Errorf("%s: a refresh ended %q: %s", victim, done.Outcome, done.Reason)
		}
		poll(t, victim.String()+" is back on three servers", func() bool { return assets(t, js)[victim] == 3 })
		e.eventually("tweets that were looked up", `select count(*) from twitter_engagement_tracking where update_count > 0 and claim_id is null`, tracked)
		t.Logf("%s: all was done %s later", victim, time.Since(began).Round(time.Millisecond))
	}
	if now := assets(t, js); len(now) != len(all) {
		t.Errorf("there were %v, and there are %v", all, now)
	}
	depth, err := e.queue.Depth(t.Context())
	testkit.Must(t, err)
	if depth.DeadLetters != 0 {
		t.Errorf("%d dead letters", depth.DeadLetters)
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0`); n != 0 {
		t.Errorf("%d tweets are blamed", n)
	}
	answered := make(map[string]int)
	for _, c := range e.double.Calls() {
		for _, id := range c.IDs {
			answered[id]++
		}
	}
	twice := 0
	for _, n := range answered {
		twice += n - 1
	}
	if s := e.double.Stats(); s.MaxPerSecond > rate || int(s.Returned) != e.count(paid) {
		t.Errorf("%d calls within a second; %d tweets paid for, %d in the ledger", s.MaxPerSecond, s.Returned, e.count(paid))
	}
	e.pointsHaveAnswers(answered)
	t.Logf("%d tweets; %d were looked up once more, refreshes included", tracked, twice)
}

// pointsHaveAnswers checks that no tweet has more points of history than answers, and that
// each has one.
func (e *engine) pointsHaveAnswers(answers map[string]int) {
	e.t.Helper()
	rows, err := e.sql.Query(e.t.Context(), `select w.tweet_id, count(h.id)::int4 from twitter_engagement_tracking k
		join twitter_tweets w on w.id = k.tweet_db_id left join twitter_engagement_history h on h.tweet_id = w.id group by 1`)
	testkit.Must(e.t, err)
	var id string
	var points int
	_, err = pgx.ForEachRow(rows, []any{&id, &points}, func() error {
		if points < 1 || points > answers[id] {
			e.t.Errorf("tweet %s has %d points of history and was in %d answers", id, points, answers[id])
		}
		return nil
	})
	testkit.Must(e.t, err)
}

// remove deletes the asset, and reports whether that was done.
func (a asset) remove(t *testing.T, js jetstream.JetStream) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if a.consumer == "" {
		return js.DeleteStream(ctx, a.stream) == nil
	}
	return js.DeleteConsumer(ctx, a.stream, a.consumer) == nil
}

func values(m map[asset]int) (list []int) {
	for _, n := range m {
		list = append(list, n)
	}
	return list
}
