package twitter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Answers are read as a stream of tokens: of a tweet of 3 KB only ten members are
// looked at, the rest is checked for syntax and skipped. That is several times
// faster than decoding into a struct, and one odd element can't spoil the others.

// reader reads the JSON of one answer.
type reader struct {
	*jsontext.Decoder

	name []byte // scratch of unquoted
}

func newReader(body []byte) *reader {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // a byte-order mark
	return &reader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(body),
		// Tweets hold what people write: half an emoji must not cost a batch.
		jsontext.AllowInvalidUTF8(true),
		jsontext.AllowDuplicateNames(true),
	)}
}

// members calls visit for each member of the object that comes next. visit must
// consume the value and nothing else; name is valid until it does. Anything but
// an object is skipped, and reported by ok.
func (r *reader) members(visit func(name []byte) error) (ok bool, err error) {
	if r.PeekKind() != '{' {
		return false, r.skip()
	}
	if _, err := r.ReadToken(); err != nil {
		return false, err
	}
	for r.PeekKind() == '"' {
		name, err := r.ReadValue()
		if err != nil {
			return false, err
		}
		if err := visit(r.unquote(name)); err != nil {
			return false, err
		}
	}
	_, err = r.ReadToken()
	return err == nil, err
}

// elements calls visit for each element of the array that comes next. visit must
// consume the element and nothing else. Anything but an array is skipped, and
// reported by ok.
func (r *reader) elements(visit func() error) (ok bool, err error) {
	if r.PeekKind() != '[' {
		return false, r.skip()
	}
	if _, err := r.ReadToken(); err != nil {
		return false, err
	}
	for {
		switch r.PeekKind() {
		case ']', 0: // the end, or a syntax error that ReadToken returns
			_, err := r.ReadToken()
			return err == nil, err
		default:
			if err := visit(); err != nil {
				return false, err
			}
		}
	}
}

// end checks that nothing follows the answer.
func (r *reader) end() error {
	_, err := r.ReadToken()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errors.New("more than one JSON value")
	default:
		return err
	}
}

// text reads a string; "" for any other value. The result is valid until the
// next read.
func (r *reader) text() ([]byte, error) {
	quoted := r.PeekKind() == '"'
	v, err := r.ReadValue()
	if err != nil || !quoted {
		return nil, err
	}
	return r.unquote(v), nil
}

// skip passes over a value. Reading it whole is half the work of the decoder's
// own SkipValue, which goes token by token; the answer is in memory anyway.
func (r *reader) skip() error {
	_, err := r.ReadValue()
	return err
}

// id reads an id given as a string or, exactly, as a number.
func (r *reader) id() ([]byte, error) {
	if r.PeekKind() == '0' {
		return r.ReadValue()
	}
	return r.text()
}

// unquote returns what is in a JSON string. The result is valid until the next
// read or unquote.
func (r *reader) unquote(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	// The decoder has checked the syntax; what can still be said against it is
	// half a surrogate pair, which becomes U+FFFD.
	r.name, _ = jsontext.AppendUnquote(r.name[:0], quoted)
	return r.name
}

// parseTime reads a time as the providers write it: twitterapi.io writes tweets'
// in the old form of Twitter and authors' in ISO 8601, X writes RFC 3339. Zero
// when it is neither.
func parseTime(s []byte) time.Time {
	if len(s) < len("2006-01-02") || len(s) > 40 {
		return time.Time{}
	}
	layout := time.RubyDate
	if s[0] >= '0' && s[0] <= '9' {
		layout = time.RFC3339Nano
	}
	t, err := time.Parse(layout, string(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// badAnswer gives a decoding error its kind: JSON that stops in the middle was
// cut off on the way, other faults are the sender's.
func badAnswer(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the answer is cut off", ErrProviderFault)
	}
	// The decoder quotes at most a character of the answer.
	return fmt.Errorf("%w: %s", ErrMalformed, strings.TrimPrefix(err.Error(), "jsontext: "))
}
