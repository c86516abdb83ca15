package worker

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gorgone/twitter"
)

// asked is what a look-up led to.
type asked struct {
	twitter.Answer // its Unresolved are those with a reason of their own

	failed  []string // tweets of the call that failed
	unasked []string // tweets that were to come after it
	err     error    // why it failed

	failedCalls int // 1 when a call was made and failed, else 0
}

// ask looks tweets up, and heeds what the provider says about further calls.
func (w *Worker) ask(ctx context.Context, g gate, ids []string) asked {
	p, err := w.usable()
	if err != nil {
		return asked{failed: ids, err: err}
	}
	g.Provider, g.clock = p, w.Clock
	ctx, span := w.Tracer.Start(ctx, "look up", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.Int("tweets", len(ids)), attribute.String("provider", p.Name)))
	answer, err := p.Lookup(ctx, &g, ids)
	if err == nil {
		err = checkAnswer(&answer)
	}
	span.SetAttributes(attribute.Int("calls", answer.Calls), attribute.Int("found", len(answer.Found)))
	end(span, err)
	w.heed(ctx, p, g.began, err)
	a := asked{Answer: answer, err: err}
	a.Unresolved = nil
	for _, u := range answer.Unresolved {
		switch {
		case errors.Is(u.Err, twitter.ErrNotAsked):
			a.unasked = append(a.unasked, u.ID)
		case err != nil && errors.Is(u.Err, err):
			a.failed = append(a.failed, u.ID)
		default:
			a.Unresolved = append(a.Unresolved, u)
		}
	}
	if len(a.failed) > 0 {
		a.failedCalls = 1
	}
	if err != nil && len(a.failed) == 0 {
		a.failed, a.unasked = a.unasked, nil // no call was made at all
	}
	return a
}

// end ends a span with what its work ended with.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, twitter.Kind(err))
	}
	span.End()
}

// emptyAnswer is how many tweets an answer must have been asked for, and lack
// every one of, to be the provider's fault rather than the tweets'.
const emptyAnswer = 10

// checkAnswer returns an error wrapping [twitter.ErrProviderFault] for an answer
// that says success and knows not one of many tweets: so many are not deleted at
// once. The tweets are then unresolved, not missing.
func checkAnswer(a *twitter.Answer) error {
	if len(a.Found) > 0 || len(a.Missing) < emptyAnswer {
		return nil
	}
	for _, m := range a.Missing {
		if m.Reason != "" {
			return nil
		}
	}
	err := fmt.Errorf("%w: not one of %d tweets is in its answer", twitter.ErrProviderFault, len(a.Missing))
	for _, m := range a.Missing {
		a.Unresolved = append(a.Unresolved, twitter.Unresolved{ID: m.ID, Err: err})
	}
	a.Missing = nil
	return err
}
