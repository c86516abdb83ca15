package worker

import (
	"fmt"

	"gorgone/twitter"
)

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
