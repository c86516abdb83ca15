package twitter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gorgone/engagement"
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
	var text string
	if json.Unmarshal(o[name], &text) == nil {
		raw = strings.TrimSpace(text)
	}
	if !regexp.MustCompile(`^\d+(\.\d*)?([eE][-+]?\d{1,3})?$`).MatchString(raw) {
		return 0, "nonsense"
	}
	exact, ok := new(big.Rat).SetString(raw)
	if !ok || !exact.IsInt() || exact.Cmp(big.NewRat(engagement.MaxCount, 1)) > 0 {
		return 0, "nonsense"
	}
	return exact.Num().Int64(), "known"
}

// classify says what an element is worth: its total, and after each ? a counter that
// cannot be read.
func (o object) classify(retweets, others, optional []string, repeats bool) string {
	names := []string{"retweets", "replies", "likes", "quotes", "views", "bookmarks"}
	var counts [6]int64
	states := [6]string{"absent"}
	for _, name := range retweets {
		n, state := o.count(name)
		if states[0] != "known" && state != "absent" {
			counts[0], states[0] = n, state
		}
	}
	for i, name := range slices.Concat(others, optional) {
		counts[i+1], states[i+1] = o.count(name)
	}
	for counts[0]+counts[1]+counts[2]+counts[3] > engagement.MaxCount {
		largest := slices.Index(counts[:4], slices.Max(counts[:4]))
		counts[largest], states[largest] = 0, "nonsense"
	}
	if !slices.Contains(states[:], "known") {
		return "unresolved"
	}
	word := fmt.Sprintf("found:%d", counts[0]+counts[1]+counts[2]+counts[3])
	if repeats && counts[0] > 0 && counts[1]+counts[2]+counts[3] == 0 {
		return word
	}
	for i, state := range states {
		if state == "nonsense" || state == "absent" && i < 4 {
			word += "?" + names[i]
		}
	}
	return word
}

// better reports whether a copy of a tweet is worth more than the one before it.
func better(word, than string) bool {
	if than == "" {
		return true
	}
	return strings.HasPrefix(word, "found") &&
		(than == "unresolved" || strings.HasPrefix(than, "found") && strings.Count(word, "?") < strings.Count(than, "?"))
}

// repeatsAnother reports whether the element is a tweet that only repeats another.
func (o object) repeatsAnother() bool {
	var text string
	_ = json.Unmarshal(o["text"], &text)
	return text == "RT" || strings.HasPrefix(text, "RT @") || strings.HasPrefix(string(o["retweeted_tweet"]), "{")
}

// notice is why an element says that its tweet is not shown; "" when it does not.
func (o object) notice() string {
	var kind, why, message string
	_ = json.Unmarshal(o["type"], &kind)
	_ = json.Unmarshal(o["unavailableReason"], &why)
	_ = json.Unmarshal(o["message"], &message)
	if kind != "tombstone" && string(o["unavailable"]) != "true" && why == "" {
		return ""
	}
	for _, known := range [][2]string{
		{`suspend|protect|limits who|authoriz`, ReasonNotAuthorized}, {`delet|exist|not found`, ReasonNotFound}, {`violat|rules`, ReasonDisallowed},
	} {
		if regexp.MustCompile(known[0]).MatchString(strings.ToLower(why + " " + message)) {
			return "missing:" + known[1]
		}
	}
	return "missing:" + ReasonUnavailable
}

// elements returns the elements of a list, or false when it is none.
func elements(raw json.RawMessage) ([]json.RawMessage, bool) {
	var list []json.RawMessage
	ok := bytes.HasPrefix(raw, []byte("[")) && json.Unmarshal(raw, &list) == nil
	return list, ok
}

// inTrouble reports whether an answer says of itself that something went wrong.
func (o object) inTrouble(errorList bool) bool {
	for _, name := range []string{"error", "err", "fault", "exception", "errors"} {
		var v any
		if name == "errors" && !errorList && bytes.HasPrefix(o[name], []byte("[")) || json.Unmarshal(o[name], &v) != nil {
			continue
		}
		switch v := v.(type) {
		case nil:
		case bool:
			if v {
				return true
			}
		case string:
			if v != "" {
				return true
			}
		case float64:
			if string(o[name]) != "0" {
				return true
			}
		case []any:
			if len(v) > 0 {
				return true
			}
		case map[string]any:
			if len(v) > 0 {
				return true
			}
		}
	}
	for _, name := range []string{"success", "ok"} {
		if string(o[name]) == "false" {
			return true
		}
	}
	for _, name := range []string{"code", "status", "statusCode", "status_code"} {
		if n, err := strconv.ParseFloat(strings.Trim(string(o[name]), `" `), 64); err == nil && (n < 0 || n >= 400) {
			return true
		}
	}
	return false
}

func referenceTwitterAPI(body []byte) (string, bool) {
	return referenceTweets(body, func(o object) (word, notice string) {
		word = o.classify([]string{"retweetCount"}, []string{"replyCount", "likeCount", "quoteCount"}, []string{"viewCount", "bookmarkCount"}, o.repeatsAnother())
		return word, o.notice()
	})
}

func referenceSocialData(body []byte) (string, bool) {
	return referenceTweets(body, func(o object) (word, notice string) {
		repeats := object{"text": o["full_text"], "retweeted_tweet": o["retweeted_status"]}.repeatsAnother()
		return o.classify([]string{"retweet_count"}, []string{"reply_count", "favorite_count", "quote_count"}, []string{"views_count", "bookmark_count"}, repeats), ""
	})
}

// referenceTweets reads an object with a list of tweets; element says what one is worth, and why
// it is not shown.
func referenceTweets(body []byte, element func(object) (word, notice string)) (string, bool) {
	var top object
	if json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &top) != nil || top == nil {
		return "", false
	}
	list, ok := elements(top["tweets"])
	var status string
	if json.Unmarshal(top["status"], &status) == nil && status != "" && !strings.EqualFold(status, "success") && !strings.EqualFold(status, "ok") {
		return "", false
	}
	if !ok {
		return "", false
	}
	words, notices := make(map[string]string), make(map[string]string)
	for _, raw := range list {
		var o object
		if json.Unmarshal(raw, &o) != nil || o == nil {
			continue
		}
		id := o.text("id")
		if written := o.text("id_str"); id == "" || written != "" && !strings.HasPrefix(string(o["id"]), `"`) {
			id = written
		}
		word, notice := element(o)
		if word == "unresolved" && notice != "" {
			if notices[id] == "" {
				notices[id] = notice
			}
			continue
		}
		if better(word, words[id]) {
			words[id] = word
		}
	}
	for id, notice := range notices {
		if words[id] == "" {
			words[id] = notice
		}
	}
	if top.inTrouble(true) {
		return partly(words)
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
	if json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &top) != nil || top == nil {
		return "", false
	}
	data, okData := elements(top["data"])
	if strings.HasPrefix(string(top["data"]), "{") {
		data, okData = []json.RawMessage{top["data"]}, true
	}
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
		delete(o, "retweeted_tweet")
		word := m.classify([]string{"retweet_count", "repost_count"}, []string{"reply_count", "like_count", "quote_count"}, []string{"impression_count", "bookmark_count"}, o.repeatsAnother())
		if id := o.text("id"); better(word, own[id]) {
			own[id] = word
		}
		for _, name := range []string{"edit_history_tweet_ids", "edit_history_post_ids"} {
			ids, _ := elements(o[name])
			for _, raw := range ids {
				if id := (object{"id": raw}).text("id"); better(word, versions[id]) {
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
		var about []string
		for _, name := range []string{"resource_id", "value"} {
			raw := []json.RawMessage{o[name]}
			if list, ok := elements(o[name]); ok {
				raw = list
			}
			for _, r := range raw {
				if id := (object{"id": r}).text("id"); id != "" {
					about = append(about, strings.Trim(id, "[]"))
				}
			}
		}
		var detail string
		for _, name := range []string{"detail", "message"} {
			_ = json.Unmarshal(o[name], &detail)
		}
		for _, match := range regexp.MustCompile(`\[\d+\]`).FindAllString(detail, -1) {
			about = append(about, match[1:len(match)-1])
		}
		var resource string
		_ = json.Unmarshal(o["resource_type"], &resource)
		i := slices.IndexFunc(about, func(id string) bool { return slices.Contains(askedIDs(), id) })
		if resource != "" && resource != "tweet" && resource != "post" || resource != "" && i < 0 && len(about) > 0 {
			continue
		}
		if i < 0 {
			trouble = true
			continue
		}
		id := about[i]
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
	if trouble || top.inTrouble(false) {
		return partly(words)
	}
	return line(words), true
}

// partly is the summary of an answer that says of itself that something went wrong.
func partly(words map[string]string) (string, bool) {
	if words["10"]+words["20"]+words["30"] == "" {
		return "", false
	}
	for _, id := range askedIDs() {
		if words[id] == "" {
			words[id] = "unresolved"
		}
	}
	return line(words), true
}
