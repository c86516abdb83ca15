package twitter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The reference decoders read the same answers with encoding/json, slowly and in
// another way. They give the summary of a valid answer.

type object map[string]json.RawMessage

func (o object) text(names ...string) string {
	for _, name := range names {
		var s string
		if json.Unmarshal(o[name], &s) == nil && s != "" {
			return s
		}
		if regexp.MustCompile(`^-?\d`).Match(o[name]) {
			return string(o[name])
		}
	}
	return ""
}

// count returns the counter under name, and what state it is in.
func (o object) count(name string) (n int64, state string) {
	raw := string(o[name])
	if raw == "" || raw == "null" {
		return 0, "absent"
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || strings.HasPrefix(raw, "-") {
		return 0, "nonsense"
	}
	return n, "known"
}

// judge sums the four counts, under their names, of an element.
func (o object) judge(retweets, others, optional []string) string {
	var sum int64
	states := []string{}
	var known bool
	for _, name := range retweets {
		n, state := o.count(name)
		if state == "known" && !known {
			known = true
			sum += n
		}
		if state == "nonsense" {
			return "unresolved"
		}
	}
	for _, name := range others {
		n, state := o.count(name)
		sum += n
		states = append(states, state)
	}
	for _, name := range optional {
		if _, state := o.count(name); state == "nonsense" {
			return "unresolved"
		}
	}
	if !known || slices.ContainsFunc(states, func(s string) bool { return s != "known" }) {
		return "unresolved"
	}
	return fmt.Sprintf("found:%d", sum)
}

// elements returns the elements of a list, or false when it is none.
func elements(raw json.RawMessage) ([]json.RawMessage, bool) {
	var list []json.RawMessage
	ok := bytes.HasPrefix(raw, []byte("[")) && json.Unmarshal(raw, &list) == nil
	return list, ok
}

func referenceTwitterAPI(body []byte) (string, bool) {
	var top object
	if json.Unmarshal(body, &top) != nil || top == nil {
		return "", false
	}
	list, ok := elements(top["tweets"])
	var status string
	if json.Unmarshal(top["status"], &status) == nil && status != "" && status != "success" {
		return "", false
	}
	if !ok {
		return "", false
	}
	words := make(map[string]string)
	for _, raw := range list {
		var o object
		if json.Unmarshal(raw, &o) != nil || o == nil {
			continue
		}
		id := o.text("id")
		if id == "" {
			id = o.text("id_str")
		}
		if _, again := words[id]; !again {
			words[id] = o.judge([]string{"retweetCount"}, []string{"replyCount", "likeCount", "quoteCount"}, []string{"viewCount", "bookmarkCount"})
		}
	}
	return line(words), true
}

func line(words map[string]string) string {
	var list []string
	for _, id := range askedIDs() {
		word := words[id]
		if word == "" {
			word = "missing:"
		}
		list = append(list, word)
	}
	return strings.Join(list, " ")
}

func referenceX(body []byte) (string, bool) {
	var top object
	if json.Unmarshal(body, &top) != nil || top == nil {
		return "", false
	}
	data, okData := elements(top["data"])
	problems, okErrors := elements(top["errors"])
	if _, meta := top["meta"]; !okData && !okErrors && !meta {
		return "", false
	}
	own, versions := make(map[string]string), make(map[string]string)
	for _, raw := range data {
		var o, m object
		if json.Unmarshal(raw, &o) != nil || o == nil {
			continue
		}
		if json.Unmarshal(o["public_metrics"], &m) != nil {
			m = nil
		}
		word := m.judge([]string{"retweet_count", "repost_count"}, []string{"reply_count", "like_count", "quote_count"}, []string{"impression_count", "bookmark_count"})
		if id := o.text("id"); own[id] == "" {
			own[id] = word
		}
		for _, name := range []string{"edit_history_tweet_ids", "edit_history_post_ids"} {
			ids, _ := elements(o[name])
			for _, raw := range ids {
				if id := (object{"id": raw}).text("id"); versions[id] == "" {
					versions[id] = word
				}
			}
		}
	}
	reasons := make(map[string]string)
	var trouble bool
	for _, raw := range problems {
		var o object
		if json.Unmarshal(raw, &o) != nil || o == nil {
			continue
		}
		id := o.text("resource_id")
		if !slices.Contains(askedIDs(), id) {
			id = o.text("value")
		}
		if !slices.Contains(askedIDs(), id) {
			trouble = true
			continue
		}
		if reasons[id] != "" {
			continue
		}
		kind := o.text("type")
		kind = kind[strings.LastIndex(kind, "/")+1:]
		reasons[id] = "unresolved"
		if slices.Contains([]string{ReasonNotFound, ReasonNotAuthorized, ReasonUnavailable, ReasonDisallowed}, kind) {
			reasons[id] = "missing:" + kind
		}
	}
	words := make(map[string]string)
	for _, id := range askedIDs() {
		for _, source := range []map[string]string{own, versions, reasons} {
			if words[id] == "" {
				words[id] = source[id]
			}
		}
	}
	if trouble {
		if words["10"]+words["20"]+words["30"] == "" {
			return "", false
		}
		for _, id := range askedIDs() {
			if words[id] == "" {
				words[id] = "unresolved"
			}
		}
	}
	return line(words), true
}

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
	fuzzDecoder(f, decodeTwitterAPI, referenceTwitterAPI)
}

func FuzzDecodeX(f *testing.F) {
	f.Add([]byte(`{"data":[` + post10 + `,` + post20 + `],"errors":[` + notHere + `],"meta":{"result_count":2}}`))
	f.Add([]byte(`{"data":[` + strings.Replace(post10, `["10"]`, `["10","20",30]`, 1) + `],"errors":[{"title":"x","type":"y/z"}]}`))
	f.Add([]byte(`{"errors":[` + strings.Replace(notHere, `"30"`, `["30"]`, 1) + `]}`))
	fuzzDecoder(f, decodeX, referenceX)
}
