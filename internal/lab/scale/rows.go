package scale

import (
	"fmt"
	"time"

	"gorgone/engagement"
	"gorgone/twitter"
)

func tweetColumns() []string {
	return []string{
		"id", "zone_id", "tweet_id", "text", "lang", "source", "twitter_created_at", "collected_at", "created_at", "updated_at", "has_media", "raw_data",
		"retweet_count", "reply_count", "like_count", "quote_count", "view_count", "bookmark_count",
	}
}

// tweetRow is the row of a tweet, collected five minutes after its post, with the raw data
// that the engine reads.
func (s *size) tweetRow(n int, vocabulary []string) []any {
	t := s.tweet(n)
	collected := t.posted.Add(5 * time.Minute)
	text := t.text(vocabulary)
	author := t.author()
	raw := fmt.Sprintf(`{"id":%q,"type":"tweet","lang":"en","author":{"id":"%d","name":"Author %d","userName":"author%d","followers":%d,"isBlueVerified":false},"conversationId":%q,"isReply":false}`,
		t.id, author, author, author, mix(uint64(author))%100_000, t.id)
	seen := s.lastSeen(t)
	row := []any{uuidOf(t.row), uuidOf(zoneID(t.zone)), t.id, text, "en", "Twitter Web App", t.posted, collected, collected, seen, n%3 == 0, raw}
	return appendCounts(row, t.counts(seen.Sub(t.posted)))
}

func trackingColumns() []string {
	return []string{
		"id", "tweet_db_id", "zone_id", "tier", "last_updated_at", "next_update_at", "update_count", "created_at",
		"snapshot_at", "snapshot_velocity", "snapshot_provider", "activity_state", "misses", "last_missed_at", "gone_reason", "retry_at",
		"snapshot_retweets", "snapshot_replies", "snapshot_likes", "snapshot_quotes", "snapshot_views", "snapshot_bookmarks",
	}
}

// lastSeen is when a tweet was looked up last: within the interval of its tier, or at the
// end of its life.
func (s *size) lastSeen(t tweet) time.Time {
	if !s.isLive(t.n) {
		return t.posted.Add(horizon)
	}
	_, every := tierAt(s.now.Sub(t.posted))
	seen := s.now.Add(-time.Duration(unit(mix(t.seed+5)) * float64(every)))
	if seen.Before(t.posted) {
		return t.posted
	}
	return seen
}

// tierAt is the tier of an age and its interval, as tiers says.
func tierAt(age time.Duration) (engagement.Tier, time.Duration) {
	switch {
	case age < time.Hour:
		return engagement.UltraHot, 10 * time.Minute
	case age < 4*time.Hour:
		return engagement.Hot, 30 * time.Minute
	}
	return engagement.Warm, 12 * time.Hour
}

// trackingRow is the tracking row of a tweet. Those that are due have been for up to ten
// minutes, the other live ones are within the twelve hours after the next twelve. One cold
// tweet in 200 counts as deleted.
func (s *size) trackingRow(n int) []any {
	t := s.tweet(n)
	seen := s.lastSeen(t)
	age := seen.Sub(t.posted)
	tier, _ := tierAt(s.now.Sub(t.posted))
	var next, missed, retry *time.Time
	var gone *string
	misses := 0
	wait := unit(mix(t.seed + 6))
	switch {
	case s.isDue(n):
		at := s.now.Add(-time.Duration(wait * float64(10*time.Minute)))
		next = &at
	case s.isLive(n):
		at := s.now.Add(12*time.Hour + time.Duration(wait*float64(12*time.Hour)))
		next = &at
	default:
		if tier = engagement.Cold; n%200 == 1 {
			reason, again := engagement.GoneMissing, s.now.Add(time.Duration(1+wait*6)*24*time.Hour)
			gone, missed, retry, misses = &reason, &seen, &again, 3
		}
	}
	state, _ := engagement.Activity{At: seen, Expected: 20}.AppendBinary(nil) // it is finite
	row := []any{
		uuidOf(randomID(t.seed + 7)), uuidOf(t.row), uuidOf(zoneID(t.zone)), string(tier), seen, next, s.pointsOf(n), t.posted.Add(5 * time.Minute),
		seen, t.velocity(age), twitter.TwitterAPIName, state, misses, missed, gone, retry,
	}
	return appendCounts(row, t.counts(age))
}

func historyColumns() []string {
	return []string{
		"id", "tweet_id", "snapshot_at", "created_at", "engagement_velocity", "provider",
		"retweet_count", "reply_count", "like_count", "quote_count", "view_count", "bookmark_count",
		"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views",
	}
}

// historyRows are the points of a tweet.
func (s *size) historyRows(n int) (rows [][]any) {
	t := s.tweet(n)
	var before [engagement.NumCounters]int32
	for k := range s.pointsOf(n) {
		age := s.ageOf(t, k)
		at := t.posted.Add(age).Truncate(time.Microsecond)
		now := t.counts(age)
		row := []any{uuidOf(orderedID(at, t.seed+uint64(k)<<20)), uuidOf(t.row), at, at, t.velocity(age), twitter.TwitterAPIName}
		row = appendCounts(row, now)
		for c := engagement.Retweets; c <= engagement.Views; c++ {
			row = append(row, now[c]-before[c])
		}
		before = now
		rows = append(rows, row)
	}
	return rows
}
