package twitter

import (
	"errors"
	"strings"
	"testing"
)

func fuzzDecoder(f *testing.F, decode func([]byte, *page) error, reference func([]byte) (string, bool)) {
	f.Helper()
	f.Fuzz(func(t *testing.T, body []byte) {
		p := newPage(askedIDs())
		err := decode(body, p)
		want, valid := reference(body)
		if valid != (err == nil) {
			t.Fatalf("error %v, where the reference says valid: %v (%s)", err, valid, want)
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrProviderFault) {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		if got := summary(p); got != want {
			t.Fatalf("%s; the reference says %s", got, want)
		}
	})
}

func FuzzDecodeTwitterAPI(f *testing.F) {
	f.Add([]byte(tweets(tweet10, tweet20)))
	f.Add([]byte(`{"status":"error","msg":"no","tweets":[` + tweet10 + `]}`))
	f.Add([]byte(tweets(`{"id_str":"10"}`, `{"id":30,"likeCount":-1,"retweetCount":1e3}`, `null`)))
	f.Add([]byte(tweets(`{"text":"\ud83d\u0000","id":"10","likeCount":99999999999999999999}`)))
	f.Add([]byte(`{"tweets":[` + tweet10 + `,null],"error":{"code":500,"message":"upstream"},"success":true}`))
	f.Add([]byte(`{"status":503,"code":"429","ok":false,"errors":["boom"],"tweets":[]}`))
	f.Add([]byte(`{"status":"ok","err":0,"fault":{"faultstring":"x"},"exception":null,"tweets":[` + tweet20 + `,` + tweet20 + `]} <!-- edge -->`))
	fuzzDecoder(f, decodeTwitterAPI, referenceTwitterAPI)
}

func FuzzDecodeSocialData(f *testing.F) {
	const tweet = `{"id":10,"id_str":"10","text":null,"full_text":"a","retweet_count":1,"reply_count":2,"favorite_count":3,"quote_count":4,"views_count":5,"bookmark_count":null}`
	f.Add([]byte(`{"tweets":[` + tweet + `,{"id":20,"id_str":"20","favorite_count":"7","quoted_status":` + tweet + `}]}`))
	f.Add([]byte(`{"tweets":[{"id_str":"20","full_text":"RT @a: b","retweet_count":9,"favorite_count":0,"retweeted_status":` + tweet + `},null,[` + tweet + `]]}`))
	f.Add([]byte(`{"status":"error","message":"Insufficient balance"}`))
	f.Add([]byte(`{"message":"The ids field is required.","errors":{"ids":["x"]},"tweets":[` + tweet + `]}`))
	f.Add([]byte(`{"tweets":[{"id":1729591119699124560,"id_str":"30","likeCount":5,"retweeted_status":{}}],"success":false}`))
	fuzzDecoder(f, decodeSocialData, referenceSocialData)
}

func FuzzDecodeX(f *testing.F) {
	f.Add([]byte(`{"data":[` + post10 + `,` + post20 + `],"errors":[` + notHere + `],"meta":{"result_count":2}}`))
	f.Add([]byte(`{"data":[` + strings.Replace(post10, `["10"]`, `["10","20",30]`, 1) + `],"errors":[{"title":"x","type":"y/z"}]}`))
	f.Add([]byte(`{"errors":[` + strings.Replace(notHere, `"30"`, `["30"]`, 1) + `]}`))
	f.Add([]byte(`{"data":[null,` + post10 + `],"errors":{"message":"half"},"status":503}`))
	f.Add([]byte(`{"data":[],"errors":["boom"],"success":false,"meta":{"result_count":0}}`))
	fuzzDecoder(f, decodeX, referenceX)
}
