package fakeprovider

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// wire holds tweets as twitterapi.io writes them, with the names of what differs
// from tweet to tweet: "#likes" stands for a number, {{id}} for text in a string.
//
//go:embed wire/*.json
var wire embed.FS

// template is a tweet ready to be written: what is between the values is rendered
// once, and a tweet of 3 KB costs little more than copying it.
type template []part

// part is a constant text and the value that follows it ("" at the end).
type part struct {
	text  []byte
	value string
}

var (
	placeholder = regexp.MustCompile(`"#(\w+)"|\{\{(\w+)\}\}`)
	// Counters are never the last member of a tweet.
	viewMember  = regexp.MustCompile(`"\w+":"#(views|bookmarks)",`)
	countMember = regexp.MustCompile(`"\w+":"#(views|bookmarks|retweets|replies|likes|quotes)",`)
)

// templates are the same tweets as they look whole, and with counters left out.
type templates struct {
	whole, noViews, noCounts []template
}

func loadTemplates() (templates, error) {
	var t templates
	for _, name := range []string{"photo", "link", "reply"} {
		pretty, err := wire.ReadFile("wire/" + name + ".json")
		if err != nil {
			return templates{}, fmt.Errorf("read template: %w", err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, pretty); err != nil {
			return templates{}, fmt.Errorf("read template %s: %w", name, err)
		}
		t.whole = append(t.whole, parseTemplate(compact.Bytes()))
		t.noViews = append(t.noViews, parseTemplate(viewMember.ReplaceAll(compact.Bytes(), nil)))
		t.noCounts = append(t.noCounts, parseTemplate(countMember.ReplaceAll(compact.Bytes(), nil)))
	}
	return t, nil
}

// of returns the template for a tweet.
func (t templates) of(l *look) template {
	some := t.whole
	switch l.fault {
	case NoViews:
		some = t.noViews
	case NoCounts:
		some = t.noCounts
	default:
	}
	return some[l.place%len(some)]
}

func parseTemplate(text []byte) template {
	var t template
	var done int
	for _, m := range placeholder.FindAllSubmatchIndex(text, -1) {
		value := bytes.Trim(text[m[0]:m[1]], `"#{}`)
		t = append(t, part{text: text[done:m[0]], value: string(value)})
		done = m[1]
	}
	return append(t, part{text: text[done:]})
}

// append writes a tweet with the counters of a look.
func (t template) append(dst []byte, l *look, text []byte) []byte {
	tw, c := l.tweet, &l.counts
	for _, p := range t {
		dst = append(dst, p.text...)
		switch p.value {
		case "id":
			dst = strconv.AppendInt(dst, tw.id, 10)
		case "author":
			dst = strconv.AppendInt(dst, authorID(tw.author), 10)
		case "user":
			dst = append(dst, "reader_"...)
			dst = strconv.AppendInt(dst, int64(tw.author), 10)
		case "text":
			dst = append(dst, text...)
		case "created":
			dst = time.UnixMilli(tw.posted).UTC().AppendFormat(dst, time.RubyDate)
		case "followers":
			dst = strconv.AppendInt(dst, authorID(tw.author)%99_991, 10)
		case "retweets":
			dst = strconv.AppendInt(dst, c.retweets, 10)
		case "replies":
			dst = strconv.AppendInt(dst, c.replies, 10)
		case "likes":
			dst = strconv.AppendInt(dst, c.likes, 10)
		case "quotes":
			dst = strconv.AppendInt(dst, c.quotes, 10)
		case "views":
			dst = strconv.AppendInt(dst, c.views, 10)
		case "bookmarks":
			dst = strconv.AppendInt(dst, c.bookmarks, 10)
		}
	}
	return dst
}

// quotedTexts returns the texts as they stand inside a JSON string.
func quotedTexts() ([][]byte, error) {
	quoted := make([][]byte, len(texts))
	for i, text := range texts {
		q, err := json.Marshal(text)
		if err != nil {
			return nil, fmt.Errorf("quote text %d: %w", i, err)
		}
		quoted[i] = q[1 : len(q)-1]
	}
	return quoted, nil
}
