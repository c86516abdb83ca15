package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/web"
)

// document is the OpenAPI document as far as tests need it.
type document struct {
	Paths map[string]map[string]struct {
		Security   *[]map[string][]string
		Parameters []struct{ Name, In string }
		Responses  map[string]struct {
			Content map[string]struct{ Schema map[string]any }
		}
	}
	Components struct {
		Schemas map[string]map[string]any
	}
}

func readDocument(t *testing.T) (d document) {
	t.Helper()
	must(t, json.Unmarshal(web.Description(), &d))
	return d
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
		if op.Security == nil || rt.Open != (len(*op.Security) == 0) {
			t.Errorf("%s %s: open to all is %v, the document differs", rt.Method, rt.Pattern, rt.Open)
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
	must(t, err)
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

// conform checks an answer against the document. Every answer that any test gets
// passes through it.
func (e *engine) conform(method, path string, a answer) {
	e.t.Helper()
	pattern := patternOf(method, path)
	if pattern == "" || a.status == 0 || a.status == http.StatusRequestHeaderFieldsTooLarge {
		return
	}
	d := e.document
	response, found := d.Paths[pattern][strings.ToLower(method)].Responses[strconv.Itoa(a.status)]
	if !found {
		e.t.Errorf("%s %s answered %d, which is not described", method, pattern, a.status)
		return
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
