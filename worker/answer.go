package worker

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/twitter"
)

// asked is what a look-up led to.
type asked struct {
	// Its Missing are those that count, its Unresolved those with a reason of their
	// own.
	twitter.Answer

	unproven []twitter.Missing // lacking from an answer from which nothing follows

	failed  []string // tweets of the call that failed
	unasked []string // tweets that were to come after it
	err     error    // why it failed

	controls    int // tweets asked for on top, to see whether the answer can be believed
	failedCalls int // 1 when a call was made and failed, else 0
}

// ask looks tweets up, judges what the answer lacks, and heeds what the provider
// says about further calls. known is how the tweets stand; those that are missing
// are in doubt from then on.
func (w *Worker) ask(ctx context.Context, g gate, ids []string, known map[string]engagement.Standing) asked {
	p, err := w.usable()
	if err != nil {
		return asked{failed: ids, err: err}
	}
	g.Provider, g.clock, g.held = p, w.Clock, w.Holds.Hold
	ctx, span := w.Tracer.Start(ctx, "look up", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.Int("tweets", len(ids)), attribute.String("provider", p.Name)))
	w.shareNorm(ctx)
	order, controls := w.withControls(ctx, ids, known, p.MaxIDs())
	answer, err := p.Lookup(ctx, &g, order)
	unproven, lacking := w.weigh(&answer, known, controls)
	if len(lacking) > 0 {
		fault := lackingError(lacking, &answer)
		for _, m := range lacking {
			if err == nil {
				answer.Unresolved = append(answer.Unresolved, twitter.Unresolved{ID: m.ID, Err: fault})
				continue
			}
			m.Reason = fault.Error()
			unproven = append(unproven, m)
		}
		if err == nil {
			err = fault
		}
	}
	span.SetAttributes(attribute.Int("calls", answer.Calls), attribute.Int("found", len(answer.Found)), attribute.Int("controls", len(controls)))
	end(span, err)
	w.heed(ctx, p, g.began, err)
	w.progress.controls.Add(int64(len(controls)))
	a := asked{Answer: answer, unproven: unproven, err: err, controls: len(controls)}
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
