package fakeprovider

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
)

// Way is what the nodes between a provider and its callers do to answers.
type Way struct {
	// Distortion of true answers, which were paid for; "" is none.
	Distortion Distortion `json:"distortion,omitempty"`
	// Instead, if set, is given in place of answers: the provider never sees the calls.
	Instead *Instead `json:"instead,omitempty"`
	// LeastIDs leaves alone calls for fewer tweets, and IDs those that ask for none of
	// these; nil: none is left alone.
	LeastIDs int      `json:"least_ids,omitempty"`
	IDs      []string `json:"ids,omitempty"`
}

// Instead is an answer of a node on the way.
type Instead struct {
	Status int               `json:"status"` // 200 to 599
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}

// Distortion is what becomes of an answer on the way.
type Distortion string

// Distortions of an answer.
const (
	Gzipped        Distortion = "gzip"             // encoded as it may be
	Deflated       Distortion = "deflate"          // encoded as it was not asked for
	SaidBrotli     Distortion = "said_br"          // labelled as what it is not
	SaidGzip       Distortion = "said_gzip"        // labelled as encoded, and plain
	UnsaidGzip     Distortion = "unsaid_gzip"      // encoded, and not labelled
	CutGzip        Distortion = "cut_gzip"         // encoded, without its end
	PlainText      Distortion = "plain_text"       // JSON that is called text
	SaidHTML       Distortion = "said_html"        // JSON that is called HTML
	Marked         Distortion = "byte_order_mark"  // UTF-8 with a mark
	UTF16          Distortion = "utf_16"           //
	Trailed        Distortion = "trailing_garbage" // something follows the JSON
	Doubled        Distortion = "duplicates"       // every tweet is there twice
	NumberIDs      Distortion = "number_ids"       // ids are numbers
	RoundedIDs     Distortion = "rounded_ids"      // as a program with floating numbers writes them
	NullTweets     Distortion = "null_tweets"      // null in the place of every tweet
	Dripping       Distortion = "drip"             // a byte now and then
	Endless        Distortion = "endless"          // never ends
	Hints          Distortion = "early_hints"      // after many informational answers
	Upgraded       Distortion = "upgraded"         // 101, and then nothing
	HTTP2          Distortion = "http_2"           // frames of HTTP/2, which say GOAWAY
	ClosedUnsaid   Distortion = "closed_unsaid"    // the connection is closed after the answer, against what it says
	ResetMidBody   Distortion = "reset_mid_body"   // the connection is reset within the answer
	EndlessHeaders Distortion = "endless_headers"  // headers without an end
)

// Distortions lists all distortions.
func Distortions() []Distortion {
	return []Distortion{
		Gzipped, Deflated, SaidBrotli, SaidGzip, UnsaidGzip, CutGzip, PlainText, SaidHTML, Marked, UTF16, Trailed, Doubled,
		NumberIDs, RoundedIDs, NullTweets, Dripping, Endless, Hints, Upgraded, HTTP2, ClosedUnsaid, ResetMidBody, EndlessHeaders,
	}
}

func (w *Way) validate() error {
	var faults []error
	if w.Distortion != "" && !slices.Contains(Distortions(), w.Distortion) {
		faults = append(faults, fmt.Errorf("distortion %q: must be one of %v", w.Distortion, Distortions()))
	}
	if i := w.Instead; i != nil && (i.Status < 200 || i.Status > 599) {
		faults = append(faults, fmt.Errorf("status %d: must be 200 to 599", i.Status))
	}
	return errors.Join(faults...)
}

// meets reports whether a call is one that the way does something to.
func (w *Way) meets(ids []string) bool {
	if w == nil || w.Distortion == "" && w.Instead == nil || len(ids) < w.LeastIDs {
		return false
	}
	return w.IDs == nil || slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(w.IDs, id) })
}

var (
	tweetsList = regexp.MustCompile(`^\{"(tweets|data)":\[`)
	tweetID    = regexp.MustCompile(`"id":"(\d{15,19})","(text|url)"`)
)

// distort sends an answer in the way that a distortion says.
func (s *Server) distort(w http.ResponseWriter, r *http.Request, a reply, rec *Record, d Distortion) {
	header := func(name, value string) {
		h := map[string]string{name: value}
		maps.Copy(h, a.header)
		a.header = h
	}
	switch d {
	case Gzipped:
		header("Content-Encoding", "gzip")
		a.body = gzipped(a.body)
	case Deflated:
		header("Content-Encoding", "deflate")
		a.body = deflated(a.body)
	case SaidBrotli:
		header("Content-Encoding", "br")
		a.body = deflated(a.body)
	case SaidGzip:
		header("Content-Encoding", "gzip")
	case UnsaidGzip:
		a.body = gzipped(a.body)
	case CutGzip:
		header("Content-Encoding", "gzip")
		zipped := gzipped(a.body)
		a.body = zipped[:len(zipped)*2/3]
	case PlainText:
		header("Content-Type", "text/plain")
	case SaidHTML:
		header("Content-Type", "text/html; charset=utf-8")
	case Marked:
		a.body = append([]byte("\xef\xbb\xbf"), a.body...)
	case UTF16:
		a.body = inUTF16(a.body)
	case Trailed:
		a.body = append(bytes.Clone(a.body), "\n<!-- served from the edge in 3 ms -->"...)
	case Doubled:
		a.body = eachTweet(a.body, func(t []byte) []byte { return slices.Concat(t, []byte(","), t) })
	case NumberIDs:
		a.body = tweetID.ReplaceAll(a.body, []byte(`"id":$1,"$2"`))
	case RoundedIDs:
		a.body = tweetID.ReplaceAllFunc(a.body, rounded)
	case NullTweets:
		a.body = eachTweet(a.body, func([]byte) []byte { return []byte("null") })
	case Hints:
		for range 20 {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
	case Dripping, Endless:
		s.trickle(w, r, a, rec, d)
		return
	default:
		s.raw(w, a, rec, d)
		return
	}
	s.send(w, a, rec)
}

// trickle sends an answer that the caller never has the whole of.
func (s *Server) trickle(w http.ResponseWriter, r *http.Request, a reply, rec *Record, d Distortion) {
	rec.Status = a.status
	s.log.end(*rec)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	if d == Endless {
		spaces := bytes.Repeat([]byte(" "), 64<<10)
		for _, err := w.Write(a.body); err == nil; {
			_, err = w.Write(spaces)
		}
		return
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := range a.body {
		_, _ = w.Write(a.body[i : i+1])
		_ = http.NewResponseController(w).Flush() // a caller that is gone is found out below
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.closed:
			return
		}
	}
}

// raw writes to the connection what net/http would not.
func (s *Server) raw(w http.ResponseWriter, a reply, rec *Record, d Distortion) {
	rec.Status = a.status
	s.log.end(*rec)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not a plain connection
	}
	over := make(chan struct{})
	defer close(over)
	s.wait.Go(func() {
		select {
		case <-over:
		case <-s.closed:
		}
		_ = conn.Close()
	})
	whole := fmt.Sprintf("HTTP/1.1 %d OK\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", a.status, len(a.body))
	switch d {
	case Upgraded:
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the caller gives up
	case HTTP2:
		settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
		goAway := []byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}
		_, _ = conn.Write(slices.Concat(settings, goAway))
	case ClosedUnsaid:
		_, _ = io.WriteString(conn, whole+string(a.body))
	case ResetMidBody:
		_, _ = io.WriteString(conn, whole+string(a.body[:len(a.body)/2]))
		if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
			_ = tcp.SetLinger(0)
		}
	case EndlessHeaders:
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		for i := 0; err == nil; i++ {
			_, err = io.WriteString(conn, "X-Padding-"+strconv.Itoa(i)+": "+string(bytes.Repeat([]byte("x"), 8<<10))+"\r\n")
		}
	default:
	}
}

func gzipped(body []byte) []byte {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	return zipped.Bytes()
}

func deflated(body []byte) []byte {
	var packed bytes.Buffer
	z, _ := flate.NewWriter(&packed, flate.DefaultCompression) // a level that there is
	_, _ = z.Write(body)
	_ = z.Close()
	return packed.Bytes()
}

func inUTF16(body []byte) []byte {
	encoded := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(string(body))) {
		encoded = binary.LittleEndian.AppendUint16(encoded, unit)
	}
	return encoded
}

// rounded writes the id in a match of tweetID as a program does that has floating numbers
// only.
func rounded(match []byte) []byte {
	parts := tweetID.FindSubmatch(match)
	n, _ := strconv.ParseInt(string(parts[1]), 10, 64) // at most 19 digits
	return fmt.Appendf(nil, `"id":%d,"%s"`, int64(float64(n)), parts[2])
}

// eachTweet replaces the tweets in the list of an answer.
func eachTweet(body []byte, change func(tweet []byte) []byte) []byte {
	open := tweetsList.FindIndex(body)
	if open == nil {
		return body
	}
	out := bytes.Clone(body[:open[1]])
	start, depth, quoted := open[1], 0, false
	for i := open[1]; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				out = append(out, change(body[start:i+1])...)
				start = i + 1
			}
		case depth > 0:
		case c == ',':
			out = append(out, ',')
			start = i + 1
		case c == ']':
			return append(out, body[i:]...)
		}
	}
	return body
}
