package engagement_test

import (
	"errors"
	"testing"

	"gorgone/engagement"
)

func TestParseTweetRef(t *testing.T) {
	t.Parallel()
	const id = "1585841080431321088"
	for ref, want := range map[string]string{
		id:                                id,
		" 20\t":                           "20",
		"20\r\n":                          "20",
		"":                                "",
		"0" + id[1:]:                      "",
		"https://x.com/jack/status/" + id: id,
		"http://twitter.com/jack/status/" + id + "/":                     id,
		"https://www.twitter.com/jack/statuses/" + id:                    id,
		"https://mobile.twitter.com/jack/status/" + id + "?s=20":         id,
		"https://m.x.com/i/status/" + id + "#m":                          id,
		"HTTPS://X.com/i/web/status/" + id + "?s=20&t=abc/def":           id,
		"x.com/jack/status/" + id + "/photo/1":                           id,
		"twitter.com/jack/status/" + id + "/video/1?s=20":                id,
		"https://twitter.com/status/status/" + id:                        "",
		"https://x.com/jack":                                             "",
		"https://x.com/jack/status/":                                     "",
		"https://x.com/jack/status/abc":                                  "",
		"https://evil.example/x.com/jack/status/" + id:                   "",
		"https://x.com.evil.example/jack/status/" + id:                   "",
		"https://evil.example/?u=https://x.com/jack/status/" + id + "/x": "",
		"/status/" + id: "",
	} {
		got, err := engagement.ParseTweetRef(ref)
		if (err == nil) != (want != "") || err == nil && got != want || err != nil && !errors.Is(err, engagement.ErrTweetID) {
			t.Errorf("%q: %q, %v, want %q", ref, got, err, want)
		}
	}
}
