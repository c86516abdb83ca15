package twitter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds how much of a provider's message goes into an error, in bytes.
const maxMessage = 200

// accountID matches the account numbers that X writes in its messages.
var accountID = regexp.MustCompile(`\[\d+\]`)

// messageOf finds the message in the body of an error. Providers put it under
// detail (text, or a list of FastAPI's), msg, message or error, X also under
// errors and title, gateways under fault or deeper. A body that is a short text is the
// message itself. A body without any gives "no message".
func messageOf(body []byte) string {
	var envelope struct {
		Detail  message `json:"detail"`
		Msg     message `json:"msg"`
		Message message `json:"message"`
		Error   message `json:"error"`
		Errors  message `json:"errors"`
		Err     message `json:"err"`
		Fault   message `json:"fault"`
		Title   message `json:"title"`
		Data    message `json:"data"`
		Result  message `json:"result"`
		Status  message `json:"status"`
	}
	// An error here leaves the fields that were read, and a body that is no JSON
	// has no message.
	_ = json.Unmarshal(body, &envelope)
	for _, m := range []message{
		envelope.Detail, envelope.Msg, envelope.Message, envelope.Errors, envelope.Error, envelope.Err, envelope.Fault, envelope.Title,
		envelope.Data, envelope.Result, envelope.Status,
	} {
		if m != "" && m != "success" {
			return bounded(string(m))
		}
	}
	text := strings.Trim(string(body[:min(len(body), maxMessage)]), " \t\r\n\"")
	if text == "" || len(body) > maxMessage || strings.ContainsAny(text[:1], "{[<\x1f") || !utf8.ValidString(text) {
		return "no message"
	}
	return bounded(text)
}

// message is a text, an object that holds one, or a list of either.
type message string

// UnmarshalJSON implements [json.Unmarshaler]. It takes any JSON.
func (m *message) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		*m = message(describe(data, maxNested))
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("list of messages: %w", err)
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		if text := describe(item, maxNested); text != "" {
			texts = append(texts, text)
		}
	}
	*m = message(strings.Join(texts, "; "))
	return nil
}

// maxNested is how deep in objects a message is looked for.
const maxNested = 3

// describe returns the text of one message: a string, FastAPI's {loc, msg},
// X's {message}, or that of an object in it.
func describe(data []byte, nested int) string {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text
	}
	var object struct {
		Msg     string `json:"msg"`
		Message string `json:"message"`
		Detail  string `json:"detail"`
		Fault   string `json:"faultstring"`
		Title   string `json:"title"`
		Reason  string `json:"reason"`
		Info    string `json:"info"`
		Loc     []any  `json:"loc"`

		Error json.RawMessage `json:"error"`
	}
	// Fields of another type stay empty.
	_ = json.Unmarshal(data, &object)
	text = cmp.Or(object.Msg, object.Message, object.Detail, object.Fault, object.Title, object.Reason, object.Info)
	if text == "" && len(object.Error) > 0 && nested > 0 {
		text = describe(object.Error, nested-1)
	}
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
