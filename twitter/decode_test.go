package twitter

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
)

// askedIDs are the ids that the decoders are tested with.
func askedIDs() []string { return []string{"10", "20", "30"} }

func metrics(retweets, replies, likes, quotes int64) engagement.Metrics {
	return engagement.Metrics{
		Retweets: engagement.Known(retweets), Replies: engagement.Known(replies),
		Likes: engagement.Known(likes), Quotes: engagement.Known(quotes),
	}
}

// summary writes what a page says of its ids, one word each: found with its
// total and the counters that cannot be read, missing with its reason, or unresolved.
func summary(p *page) string {
	var a Answer
	p.addTo(&a, time.Time{})
	words := make(map[string]string)
	for _, f := range a.Found {
		words[f.ID] = fmt.Sprintf("found:%d", f.Metrics.Total())
		for _, c := range f.Unreadable {
			words[f.ID] += "?" + c.String()
		}
	}
	for _, m := range a.Missing {
		words[m.ID] = "missing:" + m.Reason
	}
	for _, u := range a.Unresolved {
		words[u.ID] = "unresolved"
	}
	list := make([]string, 0, len(p.ids))
	for _, id := range p.ids {
		list = append(list, words[id])
	}
	return strings.Join(list, " ")
}

const (
	tweet10 = `{"id":"10","retweetCount":1,"replyCount":2,"likeCount":3,"quoteCount":4,"viewCount":5,"bookmarkCount":6,"createdAt":"Fri Oct 24 01:07:19 +0000 2025"}`
	tweet20 = `{"quoteCount":40,"likeCount":30,"x":{"id":"30","likeCount":9,"a":[{"likeCount":8}]},"replyCount":20,"retweetCount":10,"id":20}`
)

func tweets(elements ...string) string {
	return `{"tweets":[` + strings.Join(elements, ",") + `],"status":"success"}`
}

func TestDecodeTwitterAPI(t *testing.T) {
	t.Parallel()
	const nothing = "missing: missing: missing:"
	for name, c := range map[string]struct {
		body string
		want string // summary, when the answer is valid
		err  error
		says string
	}{
		"two of three":          {body: tweets(tweet20, tweet10), want: "found:10 found:100 missing:"},
		"nothing":               {body: tweets(), want: nothing},
		"not asked for":         {body: tweets(strings.Replace(tweet10, `"10"`, `"99"`, 1)), want: nothing},
		"no status":             {body: `{"tweets":[` + tweet10 + `]}`, want: "found:10 missing: missing:"},
		"spaces and more":       {body: " {\"tweets\" : [ " + tweet10 + " ] , \"next\":null}\n", want: "found:10 missing: missing:"},
		"id_str":                {body: tweets(strings.Replace(tweet10, `"id":`, `"id_str":`, 1)), want: "found:10 missing: missing:"},
		"escaped names":         {body: tweets(strings.Replace(tweet10, `"likeCount"`, `"\u006cikeCount"`, 1)), want: "found:10 missing: missing:"},
		"escaped id":            {body: tweets(strings.Replace(tweet10, `"10"`, `"1\u0030"`, 1)), want: "found:10 missing: missing:"},
		"half an emoji":         {body: tweets(`{"text":"\ud83d",` + tweet10[1:]), want: "found:10 missing: missing:"},
		"broken UTF-8":          {body: tweets("{\"text\":\"\xff\"," + tweet10[1:]), want: "found:10 missing: missing:"},
		"twice, first counts":   {body: tweets(tweet10, strings.Replace(tweet10, `"likeCount":3`, `"likeCount":9`, 1)), want: "found:10 missing: missing:"},
		"elements of nonsense":  {body: tweets(`null`, `7`, `[]`, `"x"`, `{}`, tweet10), want: "found:10 missing: missing:"},
		"status comes first":    {body: `{"status":"success","msg":"ok","code":0,"tweets":[]}`, want: nothing},
		"without likes":         {body: tweets(strings.Replace(tweet10, `"likeCount":3,`, ``, 1)), want: "found:7?likes missing: missing:"},
		"likes null":            {body: tweets(strings.Replace(tweet10, `:3,`, `:null,`, 1)), want: "found:7?likes missing: missing:"},
		"likes negative":        {body: tweets(strings.Replace(tweet10, `:3,`, `:-3,`, 1)), want: "found:7?likes missing: missing:"},
		"likes a fraction":      {body: tweets(strings.Replace(tweet10, `:3,`, `:3.5,`, 1)), want: "found:7?likes missing: missing:"},
		"likes with exponent":   {body: tweets(strings.Replace(tweet10, `:3,`, `:3e2,`, 1)), want: "found:307 missing: missing:"},
		"likes a string":        {body: tweets(strings.Replace(tweet10, `:3,`, `:"3",`, 1)), want: "found:10 missing: missing:"},
		"likes an object":       {body: tweets(strings.Replace(tweet10, `:3,`, `:{"n":3},`, 1)), want: "found:7?likes missing: missing:"},
		"likes beyond int64":    {body: tweets(strings.Replace(tweet10, `:3,`, `:99999999999999999999,`, 1)), want: "found:7?likes missing: missing:"},
		"views negative":        {body: tweets(strings.Replace(tweet10, `:5,`, `:-5,`, 1)), want: "found:10?views missing: missing:"},
		"views a list":          {body: tweets(strings.Replace(tweet10, `:5,`, `:[0],`, 1)), want: "found:10?views missing: missing:"},
		"views huge":            {body: tweets(strings.Replace(tweet10, `:5,`, `:3000000000,`, 1)), want: "found:10?views missing: missing:"},
		"views as words":        {body: tweets(strings.Replace(tweet10, `:5,`, `:"1.2K",`, 1)), want: "found:10?views missing: missing:"},
		"likes as words":        {body: tweets(strings.Replace(tweet10, `:3,`, `:"many",`, 1)), want: "found:7?likes missing: missing:"},
		"likes empty":           {body: tweets(strings.Replace(tweet10, `:3,`, `:"",`, 1)), want: "found:7?likes missing: missing:"},
		"likes hexadecimal":     {body: tweets(strings.Replace(tweet10, `:3,`, `:"0x3",`, 1)), want: "found:7?likes missing: missing:"},
		"likes infinite":        {body: tweets(strings.Replace(tweet10, `:3,`, `:"Inf",`, 1)), want: "found:7?likes missing: missing:"},
		"likes 1e400":           {body: tweets(strings.Replace(tweet10, `:3,`, `:1e400,`, 1)), want: "found:7?likes missing: missing:"},
		"likes 3.0":             {body: tweets(strings.Replace(tweet10, `:3,`, `:3.0,`, 1)), want: "found:10 missing: missing:"},
		"likes 3.0 as text":     {body: tweets(strings.Replace(tweet10, `:3,`, `:" 3.0 ",`, 1)), want: "found:10 missing: missing:"},
		"a total too large":     {body: tweets(strings.NewReplacer(`:3,`, `:2147483647,`).Replace(tweet10)), want: "found:7?likes missing: missing:"},
		"no counter readable":   {body: tweets(regexp.MustCompile(`Count":\d+`).ReplaceAllString(tweet10, `Count":[0]`)), want: "unresolved missing: missing:"},
		"the better copy":       {body: tweets(strings.Replace(tweet10, `:3,`, `:null,`, 1), tweet10), want: "found:10 missing: missing:"},
		"a copy of nothing":     {body: tweets(`{"id":"10"}`, tweet10), want: "found:10 missing: missing:"},
		"a rounded number":      {body: tweets(strings.Replace(tweet10, `"id":"10"`, `"id":12,"id_str":"10"`, 1)), want: "found:10 missing: missing:"},
		"a tombstone":           {body: tweets(`{"type":"tombstone","tweet":null}`, tweet10), want: "found:10 missing: missing:"},
		"a suspended account":   {body: tweets(`{"id":"10","unavailable":true,"message":"from a Suspended account"}`), want: "missing:not-authorized-for-resource missing: missing:"},
		"a deleted tweet":       {body: tweets(`{"id":"10","unavailableReason":"Deleted"}`), want: "missing:resource-not-found missing: missing:"},
		"unavailable":           {body: tweets(`{"id":"10","type":"tombstone"}`), want: "missing:resource-unavailable missing: missing:"},
		"a notice with counts":  {body: tweets(`{"unavailable":true,` + tweet10[1:]), want: "found:10 missing: missing:"},
		"a byte-order mark":     {body: "\xef\xbb\xbf" + tweets(tweet10), want: "found:10 missing: missing:"},
		"Success":               {body: `{"tweets":[` + tweet10 + `],"status":"Success"}`, want: "found:10 missing: missing:"},
		"a retweet":             {body: tweets(`{"id":"10","text":"RT @a: x","retweetCount":9,"replyCount":0,"likeCount":0,"quoteCount":0,"viewCount":0}`), want: "found:9 missing: missing:"},
		"error object":          {body: tweets(`{"id":"10","error":"not available"}`, tweet20), want: "unresolved found:100 missing:"},
		"reports an error":      {body: `{"status":"error","msg":"try later"}`, err: ErrProviderFault, says: "try later"},
		"error beside tweets":   {body: `{"tweets":[` + tweet10 + `],"status":"error","message":"half"}`, err: ErrProviderFault, says: "half"},
		"error, status fine":    {body: `{"tweets":[],"status":"success","error":{"code":500,"message":"upstream"}}`, err: ErrProviderFault, says: "upstream"},
		"errors in a list":      {body: `{"tweets":[],"errors":[{"message":"index is behind"}]}`, err: ErrProviderFault, says: "index is behind"},
		"no success":            {body: `{"success":false,"tweets":[]}`, err: ErrProviderFault},
		"status as a number":    {body: `{"status":503,"tweets":[],"message":"down"}`, err: ErrProviderFault, says: "down"},
		"code as text":          {body: `{"code":"500","msg":"down","tweets":[]}`, err: ErrProviderFault, says: "down"},
		"some, and an error":    {body: `{"error":"a shard is down","tweets":[` + tweet10 + `]}`, want: "found:10 unresolved unresolved"},
		"all is well in words":  {body: `{"ok":true,"success":true,"error":null,"errors":[ ],"err":"","fault":{},"code":0,"status":200,"tweets":[]}`, want: nothing},
		"status ok":             {body: `{"status":"OK","code":1,"tweets":[` + tweet10 + `]}`, want: "found:10 missing: missing:"},
		"another status":        {body: `{"tweets":[],"status":"pending"}`, err: ErrProviderFault, says: "pending"},
		"no tweets":             {body: `{"status":"success"}`, err: ErrMalformed},
		"tweets null":           {body: `{"tweets":null,"status":"success"}`, err: ErrMalformed},
		"tweets an object":      {body: `{"tweets":{},"status":"success","detail":"odd"}`, err: ErrMalformed, says: "odd"},
		"a list":                {body: `[` + tweet10 + `]`, err: ErrMalformed},
		"empty":                 {body: ``, err: ErrProviderFault},
		"a page":                {body: `<html></html>`, err: ErrMalformed},
		"more after it":         {body: tweets() + tweets(), err: ErrMalformed},
		"not valid in a member": {body: tweets(`{"x":[1,],` + tweet10[1:]), err: ErrMalformed},
		"cut off":               {body: tweets(tweet10, tweet20)[:200], err: ErrProviderFault, says: "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPage(askedIDs())
			err := decodeTwitterAPI([]byte(c.body), p)
			if c.err == nil {
				if err != nil || summary(p) != c.want {
					t.Errorf("%s, %v; want %s", summary(p), err, c.want)
				}
				return
			}
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %v that says %q", err, c.err, c.says)
			}
		})
	}
}

func TestDecodedValues(t *testing.T) {
	t.Parallel()
	created := time.Date(2025, 10, 24, 1, 7, 19, 0, time.UTC)
	full := metrics(1, 2, 3, 4)
	full.Views, full.Bookmarks = engagement.Known(5), engagement.Known(6)
	huge := full
	huge.Views = engagement.Known(engagement.MaxCount)
	for name, c := range map[string]struct {
		body    string
		metrics engagement.Metrics
		created time.Time
	}{
		"all":                {tweet10, full, created},
		"no views":           {strings.Replace(tweet10, `"viewCount":5,"bookmarkCount":6,`, ``, 1), metrics(1, 2, 3, 4), created},
		"views null":         {strings.NewReplacer(":5,", ":null,", ":6,", ":null,").Replace(tweet10), metrics(1, 2, 3, 4), created},
		"the most views":     {strings.Replace(tweet10, `:5,`, `:2147483647,`, 1), huge, created},
		"time in ISO":        {strings.Replace(tweet10, `Fri Oct 24 01:07:19 +0000 2025`, `2025-10-24T01:07:19.000000Z`, 1), full, created},
		"time in a zone":     {strings.Replace(tweet10, `Fri Oct 24 01:07:19 +0000 2025`, `2025-10-24T03:07:19+02:00`, 1), full, created},
		"time of nonsense":   {strings.Replace(tweet10, `Fri Oct 24`, `Once upon`, 1), full, time.Time{}},
		"time null":          {strings.Replace(tweet10, `"Fri Oct 24 01:07:19 +0000 2025"`, `null`, 1), full, time.Time{}},
		"views as text":      {strings.Replace(tweet10, `:5,`, `:"5",`, 1), full, created},
		"a retweet":          {strings.NewReplacer(`:3,`, `:0,`, `:2,`, `:0,`, `:4,`, `:0,`, `:6,`, `:0,`, `"10",`, `"10","retweeted_tweet":{"id":"9"},`).Replace(tweet10), engagement.Metrics{Retweets: engagement.Known(1), Views: engagement.Known(5)}, created},
		"last of duplicates": {`{"likeCount":77,` + tweet10[1:], full, created},
	} {
		p := newPage(askedIDs())
		if err := decodeTwitterAPI([]byte(tweets(c.body)), p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var a Answer
		p.addTo(&a, created)
		if len(a.Found) != 1 || a.Found[0].Metrics != c.metrics || !a.Found[0].CreatedAt.Equal(c.created) || p.returned != 1 {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

const (
	post10  = `{"id":"10","text":"a","edit_history_tweet_ids":["10"],"created_at":"2025-10-24T01:07:19.000Z","public_metrics":{"retweet_count":1,"reply_count":2,"like_count":3,"quote_count":4,"bookmark_count":6,"impression_count":5}}`
	post20  = `{"public_metrics":{"repost_count":10,"reply_count":20,"like_count":30,"quote_count":40},"edit_history_post_ids":["20"],"id":"20"}`
	notHere = `{"resource_id":"30","resource_type":"tweet","parameter":"ids","value":"30","title":"Not Found Error","detail":"Could not find tweet with ids: [30].","type":"https://api.twitter.com/2/problems/resource-not-found"}`
)

func TestDecodeX(t *testing.T) {
	t.Parallel()
	problem := func(kind string) string {
		return `{"errors":[` + strings.Replace(notHere, "resource-not-found", kind, 1) + `]}`
	}
	for name, c := range map[string]struct {
		body string
		want string
		err  error
		says string
	}{
		"old and new names":     {body: `{"data":[` + post10 + `,` + post20 + `],"errors":[` + notHere + `],"meta":{"result_count":2}}`, want: "found:10 found:100 missing:resource-not-found"},
		"errors only":           {body: `{"errors":[` + notHere + `]}`, want: "missing: missing: missing:resource-not-found"},
		"errors first":          {body: `{"errors":[` + notHere + `],"data":[` + post10 + `]}`, want: "found:10 missing: missing:resource-not-found"},
		"protected":             {body: problem("not-authorized-for-resource"), want: "missing: missing: missing:not-authorized-for-resource"},
		"withheld":              {body: problem("resource-unavailable"), want: "missing: missing: missing:resource-unavailable"},
		"disallowed":            {body: problem("disallowed-resource"), want: "missing: missing: missing:disallowed-resource"},
		"another reason":        {body: problem("rainy-day"), want: "missing: missing: unresolved"},
		"reason without a host": {body: strings.Replace(problem("x"), "https://api.twitter.com/2/problems/x", "resource-not-found", 1), want: "missing: missing: missing:resource-not-found"},
		"id under value only":   {body: strings.Replace(problem("resource-not-found"), `"resource_id":"30",`, "", 1), want: "missing: missing: missing:resource-not-found"},
		"found and an error":    {body: `{"data":[` + strings.Replace(post10, `"id":"10"`, `"id":"30"`, 1) + `],"errors":[` + notHere + `]}`, want: "found:10 missing: found:10"},
		"nothing":               {body: `{"meta":{"result_count":0}}`, want: "missing: missing: missing:"},
		"no metrics":            {body: `{"data":[{"id":"10","text":"a"}]}`, want: "unresolved missing: missing:"},
		"metrics null":          {body: `{"data":[{"id":"10","public_metrics":null}]}`, want: "unresolved missing: missing:"},
		"no retweets":           {body: `{"data":[` + strings.Replace(post20, `"repost_count":10,`, "", 1) + `]}`, want: "missing: found:90?retweets missing:"},
		"retweets negative":     {body: `{"data":[` + strings.Replace(post20, `:10,`, ":-1,", 1) + `]}`, want: "missing: found:90?retweets missing:"},
		"both names":            {body: `{"data":[` + strings.Replace(post20, `"repost_count":10`, `"retweet_count":11,"repost_count":10`, 1) + `]}`, want: "missing: found:101 missing:"},
		"newest version": {
			body: `{"data":[` + strings.NewReplacer(`"id":"10"`, `"id":"11"`, `["10"]`, `["9","10","11"]`).Replace(post10) + `]}`,
			want: "found:10 missing: missing:",
		},
		"a version and its own answer": {
			body: `{"data":[` + strings.Replace(post10, `["10"]`, `["10","20"]`, 1) + `,` + post20 + `]}`,
			want: "found:10 found:100 missing:",
		},
		"something else as well": {
			body: `{"data":[` + post10 + `],"errors":[{"title":"Service Trouble","detail":"partial outage","type":"about:blank"}]}`,
			want: "found:10 unresolved unresolved",
		},
		"something else only": {body: `{"errors":[{"title":"Service Trouble","detail":"outage"}]}`, err: ErrProviderFault, says: "outage"},
		"nothing we know":     {body: `{"title":"Odd"}`, err: ErrMalformed, says: "Odd"},
		"data an object":      {body: `{"data":` + post10 + `}`, want: "found:10 missing: missing:"},
		"data a text":         {body: `{"data":"none"}`, err: ErrMalformed},
		"about an account": {
			body: `{"data":[` + post10 + `],"errors":[` + strings.Replace(notHere, `"tweet"`, `"user"`, 1) + `]}`, want: "found:10 missing: missing:",
		},
		"about another post": {
			body: `{"data":[` + post10 + `],"errors":[` + strings.ReplaceAll(notHere, `30`, `31`) + `]}`, want: "found:10 missing: missing:",
		},
		"ids in a list":     {body: `{"errors":[` + strings.NewReplacer(`"resource_id":"30",`, "", `"30"`, `["30"]`).Replace(notHere) + `]}`, want: "missing: missing: missing:resource-not-found"},
		"ids in words only": {body: `{"errors":[` + strings.NewReplacer(`"resource_id":"30",`, "", `"value":"30",`, "").Replace(notHere) + `]}`, want: "missing: missing: missing:resource-not-found"},
		"a list":            {body: `[]`, err: ErrMalformed},
		"cut off":           {body: `{"data":[` + post10, err: ErrProviderFault, says: "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPage(askedIDs())
			err := decodeX([]byte(c.body), p)
			if c.err == nil {
				if err != nil || summary(p) != c.want {
					t.Errorf("%s, %v; want %s", summary(p), err, c.want)
				}
				return
			}
			if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %v that says %q", err, c.err, c.says)
			}
		})
	}
}
