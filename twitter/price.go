package twitter

import "gorgone/engagement"

// Providers returns the names of the providers that tweets can be looked up at.
func Providers() []string { return []string{TwitterAPIName, XAPIName, SocialDataName} }

// ListPrice returns how the named provider charges by its public price list, as read in
// November 2026. It is the zero value for other names.
//
//   - twitterapi.io: 15 credits a tweet returned, and at least that for a call, at 100,000
//     credits a dollar (https://twitterapi.io/pricing).
//   - X: $0.005 a post, once in a UTC day however often it is read; failures are free
//     (https://docs.x.com/x-api/getting-started/pricing). X calls that a soft guarantee:
//     after an outage of its own it may charge again. The price of owned reads, $0.001, is
//     not for the route that looks posts up.
//   - SocialData: $0.0002 a tweet returned; failures are free
//     (https://docs.socialdata.tools/getting-started/pricing/).
func ListPrice(provider string) engagement.Billing {
	switch provider {
	case TwitterAPIName:
		return engagement.Billing{Dollars: 0.00015, Credits: 15, Least: 1}
	case XAPIName:
		return engagement.Billing{Dollars: 0.005, DayPass: true}
	case SocialDataName:
		return engagement.Billing{Dollars: 0.0002}
	default:
		return engagement.Billing{}
	}
}
