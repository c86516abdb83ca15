package worker_test

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gorgone/dispatcher"
	"gorgone/internal/testkit"
	"gorgone/internal/traceparent"
	"gorgone/queue"
)

// TestOneTraceFromDispatchToCommit: what the dispatcher began goes through the
// message's header into the worker, and a refresh is linked to who asked.
func TestOneTraceFromDispatchToCommit(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 5})
	ids := e.track()
	recorded := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorded))
	t.Cleanup(func() { _ = provider.Shutdown(t.Context()) })
	tracer := provider.Tracer("test")

	d := dispatcher.New(dispatcher.Config{
		Every: time.Second, BatchTweets: 100, Tracer: tracer, Window: dispatcher.Window{Lease: e.queue.Lease(), First: 1000},
	}, e.store, e.queue, openGate{}, e.clock, zerolog.Nop())
	_, err := d.DispatchOnce(t.Context(), 0)
	testkit.Must(t, err)
	stop := e.run(e.worker(workerOptions{tracer: tracer}))
	e.eventually("tweets applied", `select count(*) from public.twitter_engagement_tracking where last_updated_at is not null and update_count > 0`, len(ids))

	asking, asked := tracer.Start(t.Context(), "ask")
	r := e.record(ids[0], 50*time.Second)
	results, unwatch, err := e.queue.WatchResults(t.Context(), ids[0])
	testkit.Must(t, err)
	defer unwatch()
	_, err = e.queue.PublishRefresh(t.Context(), queue.Refresh{
		RequestID: r.ID, TweetID: ids[0], RequestedAt: r.RequestedAt, Deadline: r.Deadline, Trace: traceparent.Of(asking),
	})
	testkit.Must(t, err)
	<-results
	asked.End()
	stop()

	spans := map[string]tracetest.SpanStub{}
	for _, s := range recorded.GetSpans() {
		spans[s.Name] = s
	}
	published := spans["publish batches"]
	batch := spans["batch"]
	if batch.Parent.SpanID() != published.SpanContext.SpanID() || !published.SpanContext.IsValid() {
		t.Errorf("the batch's parent is %s, the dispatch is %s", batch.Parent.SpanID(), published.SpanContext.SpanID())
	}
	for _, name := range []string{"apply"} {
		s := spans[name]
		if s.SpanContext.TraceID() != published.SpanContext.TraceID() || s.Parent.SpanID() != batch.SpanContext.SpanID() {
			t.Errorf("%q is not a child of the batch: %+v", name, s.Parent)
		}
	}
	group := spans["refresh group"]
	if len(group.Links) != 1 || group.Links[0].SpanContext.SpanID() != asked.SpanContext().SpanID() {
		t.Errorf("the refresh is linked to %+v, want who asked", group.Links)
	}
	if lookup := spans["look up"]; !lookup.SpanContext.IsValid() {
		t.Error("no look-up was recorded")
	}
}
