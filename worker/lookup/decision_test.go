package lookup

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorgone/throttle"
	"gorgone/twitter"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	fault, none, refused := twitter.ErrProviderFault, twitter.ErrOutOfCredit, twitter.ErrUnauthorized
	bad := &twitter.BadRequestError{Status: 400}
	lacking := fmt.Errorf("%w: 20 %w", twitter.ErrProviderFault, ErrImplausible)
	for name, tc := range map[string]struct {
		failing

		want RetryDecision
	}{
		"no error":                              {failing{tries: 1}, Done},
		"all answered all the same":             {failing{err: fault, tries: 1}, Done},
		"rate limit":                            {failing{err: &twitter.RateLimitError{}, tries: 1, left: 50}, Wait},
		"rate limit, again and again":           {failing{err: fmt.Errorf("x: %w", &twitter.RateLimitError{}), tries: 99, left: 50}, Wait},
		"rate limit, another provider":          {failing{err: &twitter.RateLimitError{}, tries: 1, left: 50, other: true}, Wait},
		"no credit, once":                       {failing{err: fmt.Errorf("x: %w", none), tries: 1, left: 50}, Retry},
		"no credit, again and again":            {failing{err: none, tries: 3, left: 50}, Confirm},
		"no credit, others answered":            {failing{err: none, tries: 2, left: 50, answered: true}, Split},
		"refused key, once":                     {failing{err: fmt.Errorf("x: %w", refused), tries: 1, left: 50}, Retry},
		"refused key, again and again":          {failing{err: refused, tries: 3, left: 50}, Confirm},
		"refused key, one, others answered":     {failing{err: refused, tries: 2, left: 1, answered: true}, Fail},
		"open breaker":                          {failing{err: fmt.Errorf("x: %w", &throttle.OpenError{}), tries: 1, left: 50}, Park},
		"open breaker, another provider":        {failing{err: fmt.Errorf("x: %w", &throttle.OpenError{}), tries: 1, left: 50, other: true}, Elsewhere},
		"shutdown":                              {failing{err: ErrStopping, tries: 1, left: 50}, Park},
		"shutdown, another provider":            {failing{err: ErrStopping, tries: 1, left: 50, other: true}, Park},
		"clocks that disagree":                  {failing{err: fmt.Errorf("x: %w", errTimeInDoubt), tries: 1, left: 50}, Park},
		"lease too short":                       {failing{err: fmt.Errorf("x: %w", errLeaseEnds), tries: 1, left: 50}, Park},
		"grace over in a call":                  {failing{err: context.Canceled, tries: 1, left: 50}, Park},
		"paused beyond the lease":               {failing{err: &throttle.PausedError{Reason: "rate limit"}, tries: 1, left: 50}, Park},
		"rate allows none in time":              {failing{err: throttle.ErrDeadline, tries: 1, left: 50}, Park},
		"bad request, nothing else known":       {failing{err: bad, tries: 1, left: 50}, Confirm},
		"bad request, others answered":          {failing{err: bad, tries: 1, left: 50, answered: true}, Split},
		"bad request, two, others answered":     {failing{err: bad, tries: 7, left: 2, answered: true}, Split},
		"bad request, one, others answered":     {failing{err: bad, tries: 1, left: 1, answered: true}, Fail},
		"fault":                                 {failing{err: fault, tries: 1, left: 50}, Retry},
		"fault, another provider":               {failing{err: fault, tries: 1, left: 50, other: true}, Retry},
		"fault, others answered":                {failing{err: fault, tries: 1, left: 50, answered: true}, Retry},
		"fault, twice, others answered":         {failing{err: fault, tries: 2, left: 50, answered: true}, Split},
		"fault, one, twice, others answered":    {failing{err: fault, tries: 2, left: 1, answered: true}, Fail},
		"fault of a suspect half":               {failing{err: fault, tries: 1, left: 25, suspect: true, answered: true}, Split},
		"fault of a suspect":                    {failing{err: fault, tries: 1, left: 1, suspect: true, answered: true}, Fail},
		"time-out of a call":                    {failing{err: fmt.Errorf("%w: %w", fault, context.DeadlineExceeded), tries: 2, left: 50}, Retry},
		"fault, third time, nothing else known": {failing{err: fault, tries: 3, left: 50}, Confirm},
		"malformed answer":                      {failing{err: twitter.ErrMalformed, tries: 1, left: 50}, Retry},
		"malformed, twice, others answered":     {failing{err: twitter.ErrMalformed, tries: 2, left: 50, answered: true}, Split},
		"lacking too much":                      {failing{err: lacking, tries: 2, left: 50, answered: true}, Retry},
		"lacking too much, third time":          {failing{err: lacking, tries: 3, left: 50, answered: true}, Fail},
		"something else":                        {failing{err: errors.New("?"), tries: 1, left: 50}, Fail},
	} {
		if got := tc.decide(); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
