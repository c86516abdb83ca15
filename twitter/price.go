package twitter

// Price is what a provider charges for one tweet that it returns.
type Price struct {
	Dollars float64
	Credits float64 // of the account; 0: the provider has none
}

// ListPrice returns what the named provider charges by its public price list of
// November 2026: twitterapi.io 15 credits a tweet, and at least that for a call, at
// 100,000 credits a dollar (https://twitterapi.io/pricing); X $0.005 a post, once
// in a UTC day however often it is asked for, which makes this an upper bound
// (https://docs.x.com/x-api/getting-started/pricing). It is 0 for other names.
func ListPrice(provider string) Price {
	switch provider {
	case TwitterAPIName:
		return Price{Dollars: 0.00015, Credits: 15}
	case XAPIName:
		return Price{Dollars: 0.005}
	default:
		return Price{}
	}
}
