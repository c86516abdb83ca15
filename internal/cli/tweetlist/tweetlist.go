// Package tweetlist reads the tweets that people name: on the command line, in files and in
// exports of other programs.
package tweetlist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"gorgone/engagement"
	"gorgone/internal/failure"
	"gorgone/store"
)

// maxList is the most bytes of a list of tweets.
const maxList = 256 << 20

// Parse reads a list of tweets: ids or addresses, each with the time that it was
// posted behind it, or without. They are separated by white space, commas or semicolons, so
// that a line may have one or thousands; quotes are passed over, as are a first line that
// names columns, and what follows a #. createdAt, if not empty, is the time of those
// without one. All faults are reported at once.
func Parse(text, createdAt string) (tweets []store.NewTweet, err error) {
	var faults []error
	number, first := 0, true
	for line := range strings.Lines(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u0085", "\n").Replace(text)) {
		number++
		words := strings.FieldsFunc(withoutComment(line), isSeparator)
		if len(words) > 0 && first {
			first = false
			if isHeader(words[0]) {
				continue
			}
		}
		for len(words) > 0 {
			word, at := words[0], createdAt
			words = words[1:]
			if len(words) > 0 && isTime(words[0]) {
				at, words = words[0], words[1:]
			}
			t, err := newTweet(word, at)
			if err != nil {
				faults = append(faults, fmt.Errorf("line %d: %w", number, err))
				continue
			}
			tweets = append(tweets, t)
		}
	}
	return tweets, errors.Join(faults...)
}

// isHeader reports whether a word is the name of a column.
func isHeader(word string) bool {
	switch strings.ToLower(word) {
	case "id", "ids", "tweet", "tweetid", "tweet_id", "tweet_ids", "status_id", "url", "link":
		return true
	default:
		return false
	}
}

// withoutComment cuts off what follows a #, unless it is part of an address.
func withoutComment(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || isSeparator(rune(line[i-1]))) {
			return line[:i]
		}
	}
	return line
}

// isSeparator reports whether a character stands between two tweets: among others those
// that cannot be seen, such as a byte-order mark.
func isSeparator(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(",;\"'`<>()[]{}|", r) || r == '\ufeff' || r == '\u200b' || r == 0
}

// isTime reports whether a word is meant as the time of the tweet before it.
func isTime(word string) bool {
	return len(word) >= 10 && word[4] == '-' && !strings.Contains(word, "/")
}

// newTweet reads a tweet: its id or address, and when it was posted, or "".
func newTweet(ref, at string) (store.NewTweet, error) {
	id, err := engagement.ParseTweetRef(ref)
	if err != nil {
		return store.NewTweet{}, err
	}
	if at != "" {
		posted, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return store.NewTweet{}, fmt.Errorf("%s: want a time like 2026-11-23T09:30:00Z, got %.40q", id, at)
		}
		return store.NewTweet{TweetID: id, CreatedAt: posted}, nil
	}
	posted, err := engagement.TweetCreatedAt(id)
	if err != nil {
		return store.NewTweet{}, fmt.Errorf("%w; give the time after it, or with --created-at", err)
	}
	return store.NewTweet{TweetID: id, CreatedAt: posted}, nil
}

// ReadText reads a text in UTF-8 or, as Windows writes it, in UTF-16, with or without a
// byte-order mark.
func ReadText(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxList {
		return "", failure.Usagef("the list is longer than %d bytes: split it", maxList)
	}
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return fromUTF16(data[2:], 1), nil
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fromUTF16(data[2:], 0), nil
	case len(data) >= 2 && data[1] == 0 && data[0] != 0:
		return fromUTF16(data, 1), nil
	case len(data) >= 2 && data[0] == 0 && data[1] != 0:
		return fromUTF16(data, 0), nil
	case !utf8.Valid(data):
		return "", failure.Usagef("the list is not text in UTF-8 or UTF-16")
	}
	return string(data), nil
}

// fromUTF16 decodes a text whose high bytes have the given place in each pair.
func fromUTF16(data []byte, high int) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i+high])<<8 | uint16(data[2*i+1-high])
	}
	return string(utf16.Decode(units))
}

// IDs returns the ids of tweets that arguments name by id or address.
func IDs(args []string) (ids []string, err error) {
	var faults []error
	for _, arg := range args {
		id, err := engagement.ParseTweetRef(arg)
		if err != nil {
			faults = append(faults, err)
		}
		ids = append(ids, id)
	}
	if faults != nil {
		return nil, failure.Usagef("%w", errors.Join(faults...))
	}
	return ids, nil
}
