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
	}{
		"no error":                     {nil, 1, 0, done},
		"all answered all the same":    {twitter.ErrProviderFault, 1, 0, done},
		"rate limit":                   {&twitter.RateLimitError{}, 1, 50, wait},
		"rate limit, again and again":  {fmt.Errorf("x: %w", &twitter.RateLimitError{}), 99, 50, wait},
		"no credit":                    {fmt.Errorf("x: %w", twitter.ErrOutOfCredit), 1, 50, park},
		"refused key":                  {fmt.Errorf("x: %w", twitter.ErrUnauthorized), 1, 50, park},
		"shutdown":                     {errStopping, 1, 50, park},
		"lease too short":              {fmt.Errorf("x: %w", errLeaseEnds), 1, 50, park},
		"grace over in a call":         {context.Canceled, 1, 50, park},
		"paused beyond the lease":      {&queue.PausedError{Reason: "rate limit"}, 1, 50, park},
		"pace allows none in time":     {queue.ErrPaceDeadline, 1, 50, park},
		"bad request, many":            {&twitter.BadRequestError{Status: 400}, 1, 50, split},
		"bad request, two":             {&twitter.BadRequestError{Status: 400}, 7, 2, split},
		"bad request, one":             {&twitter.BadRequestError{Status: 400}, 1, 1, fail},
		"provider fault":               {twitter.ErrProviderFault, 1, 50, retry},
		"time-out of a call":           {fmt.Errorf("%w: %w", twitter.ErrProviderFault, context.DeadlineExceeded), 2, 50, retry},
		"provider fault, third time":   {twitter.ErrProviderFault, 3, 50, fail},
		"malformed answer":             {twitter.ErrMalformed, 1, 50, retry},
		"malformed answer, third time": {twitter.ErrMalformed, 3, 50, fail},
		"something else":               {errors.New("?"), 1, 50, fail},
	} {
		if got := judge(tc.err, tc.tries, tc.left); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
