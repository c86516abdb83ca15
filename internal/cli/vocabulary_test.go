package cli

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/internal/testkit"
)

// ownWords are the fields that only commands have, because the HTTP API tells nothing of
// what they name. A field that is neither here nor in an answer of the API fails the test:
// look first whether the API has a name for it.
var ownWords = strings.Fields(`
	adopted alert_id applied arch attempts before body_base64 calls_per_day calls_per_second check chosen client_keys
	cold_estimated consent_by cron destination detail dollars_per_month due_at entry fits fix full_seconds go
	gone_reason header lease_seconds looks_per_tweet made_due measured metrics_before most_looks_per_hour msg_id
	ok os paused points previous_secret_until projected queue_fault refresh_cost_month refresh_cost_today removes
	result retried rows sealed stream stream_seq subject token tweets_of_whole_life tweets_per_day was_paused
	webhook_id whole_days`)

// otherWords are names that something had or could have, with the API's.
var otherWords = map[string]string{
	"backlog": "next_batch_size", "created_at": "twitter_created_at", "history": "snapshots",
	"next_due": "next_batch_due", "observed_at": "last_updated", "posted_at": "twitter_created_at",
	"tier_changed": "tier_updated", "tweets_billed": "tweets", "refresh_dollars": "refresh_cost", "tweet": "tweet_id", "replies": "reply_count",
	"tweet_db_id": "id", "twitter_tweet_id": "tweet_id", "by_day": "days", "by_zone": "zones", "updates_per_tweet": "looks_per_tweet",
}

// opaque are fields whose content is not ours: a provider's headers, a message of the
// queue, and forecasts, which both tell as the engine stores them.
var opaque = []string{"header", "body", "predictions"}

// apiWords are the names of fields in the answers of the HTTP API, without deprecated ones.
func apiWords(t *testing.T) map[string]bool {
	t.Helper()
	var d struct {
		Paths      map[string]map[string]struct{ Responses map[string]any }
		Components map[string]map[string]any
	}
	document, err := os.ReadFile("../../web/openapi.json")
	testkit.Must(t, err)
	testkit.Must(t, json.Unmarshal(document, &d))
	words, followed := make(map[string]bool), make(map[string]bool)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if ref, is := v["$ref"].(string); is && !followed[ref] {
				followed[ref] = true
				part := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
				walk(d.Components[part[0]][part[1]])
			}
			properties, _ := v["properties"].(map[string]any)
			for name, p := range properties {
				if p, is := p.(map[string]any); !is || p["deprecated"] != true {
					words[name] = true
				}
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	for _, methods := range d.Paths {
		for _, operation := range methods {
			for _, response := range operation.Responses {
				walk(response)
			}
		}
	}
	if !words["like_count"] || !words["zone_name"] || words["createdAt"] || words["avg_latency_ms"] {
		t.Fatalf("the document was not understood: %v", slices.Sorted(maps.Keys(words)))
	}
	return words
}

// apiName returns what the API calls a thing that a command calls by another name, or "".
func apiName(word string, api map[string]bool) string {
	if name := otherWords[word]; name != "" {
		return name
	}
	if api[word] {
		return ""
	}
	for _, name := range []string{
		"engagement_" + word, "twitter_" + word,
		word + "_id", word + "_name", word + "_seconds", word + "_count", strings.TrimSuffix(word, "s") + "_count", word + "_at",
		strings.TrimSuffix(word, "_ms") + "_seconds",
	} {
		if api[name] && name != word {
			return name
		}
	}
	return ""
}

var (
	snake    = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	duration = regexp.MustCompile(`^([0-9.]+(h|m|s|ms|µs))+$`)
	wordy    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+`)
	isTime   = regexp.MustCompile(`(_at|_until|_since|_due)$|^(now|from|since|until|next|before)$`)
)

// vocabulary holds what commands print with --json to the names and forms of the API.
type vocabulary struct {
	t   *testing.T
	api map[string]bool
}

// check walks what a command printed and returns how many fields it has.
func (v vocabulary) check(command string, value any) (fields int) {
	v.t.Helper()
	switch value := value.(type) {
	case []any:
		for _, x := range value {
			fields += v.check(command, x)
		}
	case map[string]any:
		for key, x := range value {
			fields++
			v.checkField(command, key, x, value)
			if !slices.Contains(opaque, key) {
				fields += v.check(command, x)
			}
		}
	}
	return fields
}

func (v vocabulary) checkField(command, key string, x any, object map[string]any) {
	v.t.Helper()
	if !snake.MatchString(key) {
		v.t.Errorf("%s: field %q is not in snake case", command, key)
	}
	if name := apiName(key, v.api); name != "" {
		v.t.Errorf("%s: field %q is called %q by the API", command, key, name)
	} else if !v.api[key] && !slices.Contains(ownWords, key) {
		v.t.Errorf("%s: field %q is neither the API's nor known as the commands' own", command, key)
	}
	if _, has := object["id"]; key == "row_id" && !has {
		v.t.Errorf("%s: row_id without an id: the row's is id", command)
	}
	text, isText := x.(string)
	if !isText {
		return
	}
	if duration.MatchString(text) || wordy.MatchString(text) {
		v.t.Errorf("%s: %s is %q: durations are numbers of seconds, times RFC 3339", command, key, text)
	}
	if _, err := time.Parse(time.RFC3339, text); isTime.MatchString(key) && err != nil {
		v.t.Errorf("%s: %s: %v", command, key, err)
	}
	if tweet, has := object["tweet_id"].(string); has {
		if strings.Trim(tweet, "0123456789") != "" {
			v.t.Errorf("%s: tweet_id is %q", command, tweet)
		}
		if id, has := object["id"].(string); has && uuid.Validate(id) != nil {
			v.t.Errorf("%s: id beside tweet_id is %q, not a row's", command, id)
		}
	}
}

// TestOtherWordsAreTheAPIs: what the test calls the API's name is one, and the rules that
// find other names find those that commands once had.
func TestOtherWordsAreTheAPIs(t *testing.T) {
	t.Parallel()
	api := apiWords(t)
	for other, name := range otherWords {
		if !api[name] && !slices.Contains(ownWords, name) {
			t.Errorf("%s: the API has no %s", other, name)
		}
	}
	for _, word := range ownWords {
		if name := apiName(word, api); name != "" {
			t.Errorf("%s is called %s by the API", word, name)
		}
		if api[word] {
			t.Errorf("%s is a word of the API", word)
		}
	}
	for once, want := range map[string]string{
		"zone": "zone_id", "likes": "like_count", "replies": "reply_count", "velocity": "engagement_velocity",
		"window": "window_seconds", "cooldown": "cooldown_seconds", "latency": "", "like_count": "", "zone_name": "",
	} {
		if name := apiName(once, api); name != want {
			t.Errorf("%s: the API says %q, want %q", once, name, want)
		}
	}
}

// withJSON names the commands that can print JSON.
func withJSON(c *cobra.Command) (paths []string) {
	for _, sub := range c.Commands() {
		paths = append(paths, withJSON(sub)...)
	}
	if c.Flags().Lookup("json") != nil {
		paths = append(paths, c.CommandPath())
	}
	return paths
}

// speakAlike runs every command that prints JSON, each with something to show, and holds
// what they print to the names of the API.
func (c *every) speakAlike(id, hook string) {
	c.t.Helper()
	v, ran := vocabulary{c.t, apiWords(c.t)}, make(map[string]bool)
	run := func(args ...string) (values []any) {
		c.t.Helper()
		cmd, _, err := New(nil, nil, nil, "").Find(args)
		testkit.Must(c.t, err)
		ran[cmd.CommandPath()] = true
		values = jsonOf(c.t, c.do(append(args, "--json")...))
		if v.check(strings.Join(args, " "), values) == 0 {
			c.t.Errorf("%v --json shows nothing", args)
		}
		return values
	}
	idOf := func(values []any) string { return values[0].(map[string]any)["id"].(string) }

	for _, args := range [][]string{
		{"dashboard"},
		{"tweets"},
		{"cost", "--volume", "1000"},
		{"budget", "client", "6f726700-6e65-4000-8000-000000000001", "--month", "9000", "--weight", "2"},
		{"budget"},
		{"history", id},
		{"refresh", id},
		{"track", "--new-zone", "Yours", "1585841080431321089"},
		{"due"},
		{"due", "--force", id},
		{"schedule", "try", "Yours", "--force"},
		{"schedule", "status"},
		{"schedule", "stop", "Yours"},
		{"probe", id},
		{"health"},
		{"version"},
		{"token", "new", "--name", "cron"},
		{"migrate"},
		{"migrate", "--check"},
		{"retention"},
		{"doctor"}, // which does not like dead letters
		{"qstash", "sync"},
		{"qstash", "list"},
		{"qstash", "pause"},
		{"qstash", "resume"},
	} {
		run(args...)
	}

	addDeadLetters(c.t, c.running().NATSURL, id, 2)
	letters := run("dlq", "list")[0].([]any)
	for i, verb := range []string{"retry", "drop"} {
		seq := strconv.Itoa(int(letters[i].(map[string]any)["seq"].(float64)))
		run("dlq", "show", seq)
		run("dlq", verb, seq)
	}

	webhook := idOf(run("alert", "webhooks", "add", hook))
	run("alert", "webhooks", "rotate", webhook)
	run("alert", "webhooks", "list")
	run("alert", "webhooks", "test", webhook)
	run("alert", "test", webhook)
	rule := idOf(run("alert", "rules", "add", "--kind", "count", "--metric", "views", "--threshold", "1"))
	run("alert", "rules", "list")
	_, err := c.sql().Exec(c.t.Context(), `
		with raised as (
			insert into gorgone.alerts (id, rule_id, rule, kind, zone_id, tweet_db_id, subject, tweet_id, value, threshold, message, raised_at)
			select gen_random_uuid(), $1::uuid, 'a rule', 'count', zone_id, id, id, tweet_id, 2, 1, 'passed 1 view: 2', now()
			from twitter_tweets where tweet_id = $3 returning id)
		insert into gorgone.alert_deliveries (id, alert_id, webhook_id, attempts, created_at, due_at, last_error)
		select gen_random_uuid(), id, $2::uuid, 0, now(), now() + interval '1 hour', '' from raised`, rule, webhook, id)
	testkit.Must(c.t, err)
	run("alert", "list")
	run("alert", "deliveries")
	run("alert", "retry", "all")
	run("alert", "webhooks", "enable", webhook)
	run("alert", "webhooks", "remove", webhook)
	run("alert", "rules", "remove", rule)

	ran["gorgone key set"] = true // with a key on its input, by clientKeys
	for _, args := range [][]string{{"list"}, {"share", acme}, {"reseal"}, {"remove", acme}} {
		run(append([]string{"key"}, args...)...)
	}

	run("pause", "refreshes")
	run("stats")
	run("resume", "refreshes")

	for _, path := range withJSON(New(nil, nil, nil, "")) {
		if !ran[path] && !slices.Contains(silent, path) {
			c.t.Errorf("%q was not run with --json", path)
		}
	}
}

// takeTweets are the commands whose ID is a tweet's, with what they need besides. A tweet that
// track takes has no row yet.
var takeTweets = map[string][]string{
	"gorgone history": {"--zone", "%zone"}, "gorgone refresh": nil, "gorgone due": {"--force"}, "gorgone probe": nil,
}

// eitherID gives every command that takes a tweet the id of its row, that of the platform
// and its address.
func (c *every) eitherID(id string) {
	c.t.Helper()
	var row, zone string
	testkit.Must(c.t, c.sql().QueryRow(c.t.Context(), `select id::text, zone_id::text from twitter_tweets where tweet_id = $1`, id).Scan(&row, &zone))
	others := []string{"alert rules", "alert webhooks", "alert retry", "budget", "track"}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		path := cmd.CommandPath()
		if !regexp.MustCompile(`\bID\b`).MatchString(cmd.Use) || slices.ContainsFunc(others, func(o string) bool { return strings.HasPrefix(path, "gorgone "+o) }) {
			return
		}
		more, known := takeTweets[path]
		if !known {
			c.t.Errorf("%s takes an ID: of a tweet?", path)
		}
		for _, ref := range []string{row, id, "https://x.com/i/status/" + id} {
			args := append(strings.Fields(path)[1:], ref)
			for _, arg := range more {
				args = append(args, strings.ReplaceAll(arg, "%zone", zone))
			}
			if out := c.run(args...); path != "gorgone due" && !strings.Contains(out, id) {
				c.t.Errorf("%v is not about the tweet:\n%s", args, out)
			}
		}
	}
	walk(New(nil, nil, nil, ""))
}
