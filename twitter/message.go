package twitter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// maxMessage bounds how much of a provider's message goes into an error, in bytes.
const maxMessage = 200

// accountID matches the account numbers that X writes in its messages.
var accountID = regexp.MustCompile(`\[\d+\]`)

// messageOf finds the message in the body of an error. Providers put it under
// detail (text, or a list of FastAPI's), msg, message or error, X also under
// errors and title. A body without any gives "no message".
func messageOf(body []byte) string {
	var envelope struct {
		Detail  message `json:"detail"`
		Msg     message `json:"msg"`
		Message message `json:"message"`
		Error   message `json:"error"`
		Errors  message `json:"errors"`
		Title   message `json:"title"`
	}
	// An error here leaves the fields that were read, and a body that is no JSON
	// has no message.
	_ = json.Unmarshal(body, &envelope)
	for _, m := range []message{envelope.Detail, envelope.Msg, envelope.Message, envelope.Errors, envelope.Error, envelope.Title} {
		if m != "" {
			return bounded(string(m))
		}
	}
	return "no message"
}

// message is a text, an object that holds one, or a list of either.
type message string

// UnmarshalJSON implements [json.Unmarshaler]. It takes any JSON.
func (m *message) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		*m = message(describe(data))
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("list of messages: %w", err)
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		texts = append(texts, describe(item))
	}
	*m = message(strings.Join(texts, "; "))
	return nil
}

// describe returns the text of one message: a string, FastAPI's {loc, msg} or
// X's {message}.
func describe(data []byte) string {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text
	}
	var object struct {
		Msg     string `json:"msg"`
		Message string `json:"message"`
		Detail  string `json:"detail"`
		Loc     []any  `json:"loc"`
	}
	// Fields of another type stay empty.
	_ = json.Unmarshal(data, &object)
	text = cmp.Or(object.Msg, object.Message, object.Detail)
	if n := len(object.Loc); n > 0 {
		return fmt.Sprintf("%v: %s", object.Loc[n-1], text)
	}
	return text
}

// bounded makes a provider's text fit for a log line: short, on one line, and
// without account numbers.
func bounded(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = accountID.ReplaceAllString(s, "[account]")
	if len(s) > maxMessage {
		return strings.ToValidUTF8(s[:maxMessage], "") + "..."
	}
	return s
}
