package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorgone/queue"
	"gorgone/twitter"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err   error
		tries int
		left  int
		want  verdict
		other bool // another provider can be asked
	}{
		"no error":                       {nil, 1, 0, done, false},
		"all answered all the same":      {twitter.ErrProviderFault, 1, 0, done, false},
		"rate limit":                     {&twitter.RateLimitError{}, 1, 50, wait, false},
		"rate limit, again and again":    {fmt.Errorf("x: %w", &twitter.RateLimitError{}), 99, 50, wait, false},
		"no credit":                      {fmt.Errorf("x: %w", twitter.ErrOutOfCredit), 1, 50, park, false},
		"refused key":                    {fmt.Errorf("x: %w", twitter.ErrUnauthorized), 1, 50, park, false},
		"no credit, another provider":    {fmt.Errorf("x: %w", twitter.ErrOutOfCredit), 1, 50, elsewhere, true},
		"refused key, another provider":  {fmt.Errorf("x: %w", twitter.ErrUnauthorized), 1, 50, elsewhere, true},
		"open breaker":                   {fmt.Errorf("x: %w", &queue.OpenError{}), 1, 50, park, false},
		"open breaker, another provider": {fmt.Errorf("x: %w", &queue.OpenError{}), 1, 50, elsewhere, true},
		"rate limit, another provider":   {&twitter.RateLimitError{}, 1, 50, wait, true},
		"fault, another provider":        {twitter.ErrProviderFault, 1, 50, retry, true},
		"shutdown, another provider":     {errStopping, 1, 50, park, true},
		"shutdown":                       {errStopping, 1, 50, park, false},
		"lease too short":                {fmt.Errorf("x: %w", errLeaseEnds), 1, 50, park, false},
		"grace over in a call":           {context.Canceled, 1, 50, park, false},
		"paused beyond the lease":        {&queue.PausedError{Reason: "rate limit"}, 1, 50, park, false},
		"pace allows none in time":       {queue.ErrPaceDeadline, 1, 50, park, false},
		"bad request, many":              {&twitter.BadRequestError{Status: 400}, 1, 50, split, false},
		"bad request, two":               {&twitter.BadRequestError{Status: 400}, 7, 2, split, false},
		"bad request, one":               {&twitter.BadRequestError{Status: 400}, 1, 1, fail, false},
		"provider fault":                 {twitter.ErrProviderFault, 1, 50, retry, false},
		"time-out of a call":             {fmt.Errorf("%w: %w", twitter.ErrProviderFault, context.DeadlineExceeded), 2, 50, retry, false},
		"provider fault, third time":     {twitter.ErrProviderFault, 3, 50, fail, false},
		"malformed answer":               {twitter.ErrMalformed, 1, 50, retry, false},
		"malformed answer, third time":   {twitter.ErrMalformed, 3, 50, fail, false},
		"something else":                 {errors.New("?"), 1, 50, fail, false},
	} {
		if got := judge(tc.err, tc.tries, tc.left, tc.other); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
