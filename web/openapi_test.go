package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
	"gorgone/web"
	"gorgone/web/auth"
)

// document is the OpenAPI document as far as tests need it.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string
		Tags        []string
		Security    *[]map[string][]string
		Parameters  []struct {
			Name, In string
			Schema   map[string]any
		}
		RequestBody struct {
			Content map[string]struct{ Schema map[string]any }
		}
		Responses map[string]response
	}
	Components struct {
		Schemas   map[string]map[string]any
		Responses map[string]response
	}
}

type response struct {
	Ref     string `json:"$ref"`
	Headers map[string]any
	Content map[string]struct{ Schema map[string]any }
}

// response finds the response to a route with a status.
func (d document) response(method, pattern, status string) (r response, found bool) {
	r, found = d.Paths[pattern][strings.ToLower(method)].Responses[status]
	if r.Ref != "" {
		r, found = d.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")]
	}
	return r, found
}

func readDocument(tb testing.TB) (d document) {
	tb.Helper()
	testkit.Must(tb, json.Unmarshal(web.Description(), &d))
	return d
}

// callersOf are the kinds of callers that may satisfy a need, in order.
var callersOf = map[any][]string{
	web.Open:       {},
	web.Everywhere: {"service", "session"},
	web.Somewhere:  {"service", "session", "user"},
	web.Here:       {"service", "session", "user"},
	web.WebhookKey: {"provider"},
	web.LoginCode:  {},
}

// TestDocumentListsTheRoutes, all of them and no other, with what they need.
func TestDocumentListsTheRoutes(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	routes := make(map[string]bool)
	for _, rt := range web.Routes() {
		routes[rt.Method+" "+rt.Pattern] = true
		op, found := d.Paths[rt.Pattern][strings.ToLower(rt.Method)]
		if !found {
			t.Errorf("%s %s is not described", rt.Method, rt.Pattern)
			continue
		}
		if op.Security == nil {
			t.Errorf("%s %s: it is not described who may call", rt.Method, rt.Pattern)
			continue
		}
		callers := make([]string, 0, 3)
		for _, alternative := range *op.Security {
			callers = append(callers, slices.Collect(maps.Keys(alternative))...)
		}
		slices.Sort(callers)
		want := callersOf[rt.Need]
		if rt.Method+" "+rt.Pattern == "POST "+updatePath {
			want = append([]string{"qstash"}, want...)
		}
		if !slices.Equal(callers, want) {
			t.Errorf("%s %s: %v may call, the document says %v", rt.Method, rt.Pattern, want, callers)
		}
		var described []string
		for _, p := range op.Parameters {
			if p.In == "path" {
				described = append(described, "{"+p.Name+"}")
			}
		}
		for segment := range strings.SplitSeq(rt.Pattern, "/") {
			if strings.HasPrefix(segment, "{") && !slices.Contains(described, segment) {
				t.Errorf("%s %s: %s is not described", rt.Method, rt.Pattern, segment)
			}
		}
	}
	for path, methods := range d.Paths {
		for method := range methods {
			if !routes[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s is described and does not exist", method, path)
			}
		}
	}
}

// TestPageCallsEachRoute holds docs/http-api.md, whose lines another test runs, to
// the routes that there are.
func TestPageCallsEachRoute(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/http-api.md")
	testkit.Must(t, err)
	calls := make(map[string]bool)
	for _, line := range regexp.MustCompile(`curl [^\n]*"\$URL(/[^"?]*)`).FindAllStringSubmatch(string(page), -1) {
		method := http.MethodGet
		if strings.Contains(line[0], "-X POST") {
			method = http.MethodPost
		}
		// A variable or a number stands for what is in braces.
		path := regexp.MustCompile(`\$[A-Z]+|/[0-9]+`).ReplaceAllStringFunc(line[1], func(s string) string {
			return strings.Repeat("/", strings.Count(s, "/")) + "{}"
		})
		calls[method+" "+path] = true
	}
	for _, rt := range web.Routes() {
		call := rt.Method + " " + regexp.MustCompile(`{[a-z]+}`).ReplaceAllString(rt.Pattern, "{}")
		if !calls[call] {
			t.Errorf("docs/http-api.md has no curl line for %s %s", rt.Method, rt.Pattern)
		}
	}
}

// plainHeaders are for browsers and proxies, and need no description.
var plainHeaders = []string{
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Connection", "Content-Length",
	"Content-Security-Policy", "Content-Type", "Cross-Origin-Opener-Policy", "Date", "Referrer-Policy", "Vary",
	"X-Accel-Buffering", "X-Content-Type-Options", "X-Frame-Options",
}

// TestDescribedHeadersAreExposed to the pages of allowed origins, and no others.
func TestDescribedHeadersAreExposed(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	want := make(map[string]bool)
	add := func(r response) {
		for name := range r.Headers {
			want[name] = name != "Set-Cookie" // which browsers keep from pages
		}
	}
	for _, methods := range d.Paths {
		for _, op := range methods {
			for _, r := range op.Responses {
				add(r)
			}
		}
	}
	for _, r := range d.Components.Responses {
		add(r)
	}
	maps.DeleteFunc(want, func(_ string, exposed bool) bool { return !exposed })
	if got := strings.Split(web.ExposedHeaders, ", "); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("%v are exposed, %v are described", got, slices.Sorted(maps.Keys(want)))
	}
}

// TestDocumentListsTheErrorCodes holds the codes of the document to the code that
// makes them.
func TestDocumentListsTheErrorCodes(t *testing.T) {
	t.Parallel()
	made := map[string]bool{}
	for _, source := range []struct{ files, code string }{
		{"*.go", `code: "(\w+)"`},
		{"auth/refusal.go", `Reason\w+\s+Reason = "(\w+)"`},
		{"../engagement/request.go", `Cause\w+\s+FailureCause = "(\w+)"`},
		{"../engagement/request.go", `Code: "(\w+)"`},
	} {
		files, err := filepath.Glob(source.files)
		testkit.Must(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			testkit.Must(t, err)
			for _, m := range regexp.MustCompile(source.code).FindAllStringSubmatch(string(text), -1) {
				made[m[1]] = true
			}
		}
	}
	delete(made, string(auth.ReasonForeignZone)) // answered as not_found
	var listed []string
	for _, code := range readDocument(t).Components.Schemas["ErrorCode"]["enum"].([]any) {
		listed = append(listed, code.(string))
	}
	if want := slices.Sorted(maps.Keys(made)); !slices.Equal(listed, want) {
		t.Errorf("the document lists\n%v, made are\n%v", listed, want)
	}
	for code := range made {
		if auth.Status(&auth.RefusedError{Reason: auth.Reason(code)}) == http.StatusForbidden && web.RefusalWords(auth.Reason(code)) == "" {
			t.Errorf("%s has no words", code)
		}
	}
}

// conform checks an answer against the document. Every answer that any test gets
// passes through it.
func (e *engine) conform(method, path string, a answer) {
	e.t.Helper()
	pattern := patternOf(method, path)
	if pattern == "" || a.status == 0 || a.status == http.StatusRequestHeaderFieldsTooLarge {
		return
	}
	if method == http.MethodGet && a.status == http.StatusRequestEntityTooLarge {
		return // only a forged delivery of QStash's has a body here
	}
	d := e.document
	response, found := d.response(method, pattern, strconv.Itoa(a.status))
	if !found {
		e.t.Errorf("%s %s answered %d, which is not described", method, pattern, a.status)
		return
	}
	described := make(map[string]bool)
	for name := range response.Headers {
		described[http.CanonicalHeaderKey(name)] = true
	}
	for name := range a.header {
		if !described[name] && !slices.Contains(plainHeaders, name) {
			e.t.Errorf("%s %s answered %d with the header %s, which is not described", method, pattern, a.status, name)
		}
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	content, found := response.Content[media]
	if !found {
		e.t.Errorf("%s %s answered %d with %q, which is not described", method, pattern, a.status, media)
		return
	}
	if media != "application/json" {
		return
	}
	if (a.status == http.StatusUnauthorized) != (a.header.Get("WWW-Authenticate") != "") {
		e.t.Errorf("%s %s answered %d with the challenge %q", method, pattern, a.status, a.header.Get("WWW-Authenticate"))
	}
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		e.t.Errorf("%s %s: %v", method, pattern, err)
		return
	}
	for _, fault := range d.check(content.Schema, v, "") {
		e.t.Errorf("%s %s answered %d: %s", method, pattern, a.status, fault)
	}
}

// patternOf finds the route of a path; "" when there is none.
func patternOf(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	best := ""
	for _, rt := range web.Routes() {
		want, got := strings.Split(rt.Pattern, "/"), strings.Split(path, "/")
		if rt.Method != method || len(want) != len(got) {
			continue
		}
		fits := true
		for i := range want {
			fits = fits && (want[i] == got[i] || strings.HasPrefix(want[i], "{") && got[i] != "")
		}
		if fits && (best == "" || strings.Count(rt.Pattern, "{") < strings.Count(best, "{")) {
			best = rt.Pattern
		}
	}
	return best
}

// check holds a value against a schema, of which it knows what the document uses.
func (d document) check(schema map[string]any, v any, at string) (faults []string) {
	fault := func(format string, a ...any) { faults = append(faults, at+": "+fmt.Sprintf(format, a...)) }
	if name, ok := schema["$ref"].(string); ok {
		return d.check(d.Components.Schemas[strings.TrimPrefix(name, "#/components/schemas/")], v, at)
	}
	if one, ok := schema["oneOf"].([]any); ok {
		for _, s := range one {
			if len(d.check(s.(map[string]any), v, at)) == 0 {
				return nil
			}
		}
		fault("is none of those allowed")
		return faults
	}
	if c, ok := schema["const"]; ok && !reflect.DeepEqual(c, v) {
		fault("is %v, want %v", v, c)
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		fault("is %v, want one of %v", v, enum)
	}
	var types []any
	switch t := schema["type"].(type) {
	case string:
		types = []any{t}
	case []any:
		types = t
	}
	if types != nil && !slices.ContainsFunc(types, func(t any) bool { return isOf(t.(string), v) }) {
		fault("is %T, want %v", v, types)
	}
	switch v := v.(type) {
	case string:
		if err := ofFormat(schema["format"], v); err != nil {
			fault("%v", err)
		}
	case []any:
		for i, item := range v {
			faults = append(faults, d.check(schema["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, there := v[name.(string)]; !there {
				fault("lacks %v", name)
			}
		}
		for name, value := range v {
			if s, known := properties[name].(map[string]any); known {
				faults = append(faults, d.check(s, value, at+"."+name)...)
			} else if schema["additionalProperties"] == false {
				fault("has %s, which is not described", name)
			}
		}
	}
	return faults
}

func isOf(kind string, v any) bool {
	switch v := v.(type) {
	case nil:
		return kind == "null"
	case bool:
		return kind == "boolean"
	case string:
		return kind == "string"
	case float64:
		return kind == "number" || kind == "integer" && v == float64(int64(v))
	case []any:
		return kind == "array"
	default:
		return kind == "object"
	}
}

func ofFormat(format any, v string) (err error) {
	switch format {
	case "uuid":
		_, err = uuid.Parse(v)
	case "date-time":
		_, err = time.Parse(time.RFC3339Nano, v)
	}
	return err
}
