package cli

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/cli/tweetlist"
	"gorgone/internal/clock"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// inUTF16 is a text as Windows writes it.
func inUTF16(text string, order binary.AppendByteOrder, mark bool) string {
	var data []byte
	if mark {
		data = order.AppendUint16(data, 0xfeff)
	}
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return string(data)
}

func TestListsAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	const a, b, c = "1585841080431321088", "1984567890123456789", "1984567890123456790"
	const plain = a + "\n" + b + "\n" + c + "\n"
	for name, text := range map[string]string{
		"lines":                plain,
		"Windows":              strings.ReplaceAll(plain, "\n", "\r\n"),
		"an old Macintosh":     strings.ReplaceAll(plain, "\n", "\r"),
		"a mark":               "\ufeff" + plain,
		"UTF-16":               inUTF16(plain, binary.LittleEndian, true),
		"UTF-16, big":          inUTF16(plain, binary.BigEndian, true),
		"UTF-16, without mark": inUTF16(plain, binary.LittleEndian, false),
		"UTF-16, big, without": inUTF16(plain, binary.BigEndian, false),
		"UTF-16 of Windows":    inUTF16(strings.ReplaceAll(plain, "\n", "\r\n"), binary.LittleEndian, true),
		"one line":             a + "," + b + ", " + c,
		"a comma at the end":   a + ",\n" + b + ",\n" + c + ",",
		"semicolons":           a + ";" + b + ";" + c + ";",
		"tabs, blanks":         "\t" + a + "  \t" + b + "\u00a0" + c + " ",
		"JSON":                 `["` + a + `", "` + b + `", "` + c + `"]`,
		"quotes":               `"` + a + `"` + "\n" + `'` + b + `'` + "\n" + c,
		"columns":              "tweet_id,created_at\n" + a + ",2026-11-23T09:30:00Z\n\"" + b + "\",\"2026-11-23T09:30:00+01:00\"\n" + c + ",\n",
		"comments":             "# mine\n" + a + " # the first\n\n" + b + "\n#" + a + "\n" + c,
		"addresses":            "https://x.com/i/web/status/" + a + "?s=20\nhttps://mobile.twitter.com/u/status/" + b + "/photo/1,\ntwitter.com/u/status/" + c + "#m",
		"addresses, one line":  "https://x.com/u/status/" + a + "," + "https://x.com/u/status/" + b + " <https://x.com/u/status/" + c + ">",
		"what cannot be seen":  "\u200b" + a + "\u200b\n" + b + "\u2028" + c,
		"with times":           a + " 2026-11-23T09:30:00Z " + b + " " + c + " 2026-11-23T09:30:00Z",
	} {
		read, err := tweetlist.ReadText(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tweets, err := tweetlist.Parse(read, "")
		if err != nil || len(tweets) != 3 || tweets[0].TweetID != a || tweets[1].TweetID != b || tweets[2].TweetID != c {
			t.Errorf("%s: %+v, %v", name, tweets, err)
		}
	}
	many, err := tweetlist.Parse(strings.Repeat(a+",", 100_000), "")
	if err != nil || len(many) != 100_000 {
		t.Errorf("%d tweets of one line, %v", len(many), err)
	}
	for text, want := range map[string]string{
		a + "\nx\n":                   "line 2",
		"1.58584E+18":                 "not a tweet id",
		"20 " + b:                     "give the time",
		a + " 2026-13-45T00:00:00Z":   "want a time",
		"https://x.com/u":             "status",
		"nothing_of_it\n" + a + "\n-": "line 1",
	} {
		if _, err := tweetlist.Parse(text, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := tweetlist.ReadText(bytes.NewReader([]byte{'2', '0', 0xe9, '\n'})); err == nil {
		t.Error("took Latin-1 for a text")
	}
}

// TestAnInterruptedImportGoesOn: what was tracked before the database refused is said, and
// the same command does the rest.
func TestAnInterruptedImportGoesOn(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	setting, err := e.DB.ClockSetting(t.Context())
	testkit.Must(t, err)
	now, err := clock.New(t.Context(), e.DB, setting)
	testkit.Must(t, err)
	d := &app.Database{Store: e.Store, Clock: now}
	tweets := storetest.NewTweets(storetest.Epoch(), 2*trackPart+500)
	last := tweets[len(tweets)-1].TweetID
	e.Exec(t, `create function refuse() returns trigger language plpgsql as $$ begin
		if new.tweet_id = '`+last+`' then raise exception using errcode = '57014', message = 'cut'; end if; return new; end $$`)
	e.Exec(t, `create trigger refuse before insert on twitter_tweets for each row execute function refuse()`)
	n := 0
	count := func(part []store.Tracked) { n += len(part) }
	err = trackAll(t.Context(), d, e.ZoneID, tweets, count)
	if err == nil || n != 2*trackPart || !strings.Contains(err.Error(), "2000 of 2500") || !strings.Contains(err.Error(), "go on") {
		t.Errorf("%d were tracked: %v", n, err)
	}
	if rows := e.Count(t, `select count(*) from twitter_engagement_tracking`); rows != n {
		t.Errorf("%d rows, and %d were told", rows, n)
	}
	e.Exec(t, `drop trigger refuse on twitter_tweets`)
	fresh := 0
	testkit.Must(t, trackAll(t.Context(), d, e.ZoneID, tweets, func(part []store.Tracked) {
		for _, tracked := range part {
			if tracked.Status == store.StatusTracked {
				fresh++
			}
		}
	}))
	if fresh != 500 {
		t.Errorf("%d were left, want 500", fresh)
	}
	late := tweets[0]
	late.CreatedAt = now.Now().AddDate(1, 0, 0)
	late.TweetID = engagement.TweetIDAt(late.CreatedAt, 1)
	if err := trackAll(t.Context(), d, e.ZoneID, append(storetest.NewTweets(storetest.Epoch().AddDate(0, 0, 1), trackPart), late), count); err == nil ||
		!strings.Contains(err.Error(), "nothing was tracked") || e.Count(t, `select count(*) from twitter_tweets`) != len(tweets) {
		t.Errorf("a tweet of next year: %v", err)
	}
}
