package web_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgone/internal/testkit"
)

const (
	// anythingSeeds is how many runs of FuzzRoutes an ordinary test makes, of some hundred
	// requests each.
	anythingSeeds = 16
	anythingBytes = 8000

	// anythingAnswers is how long an answer may take before it counts as none.
	anythingAnswers = 40 * time.Second
)

// FuzzRoutes sends requests made from the OpenAPI document to every route, with callers of
// all kinds, and mixes in what schemas do not expect: half characters, numbers that nothing
// holds, nothing at all. Whatever comes, it is the caller's fault: no answer is a 5xx, and
// every answer is one that the document describes.
func FuzzRoutes(f *testing.F) {
	for seed := range uint64(anythingSeeds) {
		data := make([]byte, anythingBytes)
		for i, r := 0, rand.New(rand.NewPCG(seed, 7)); i < len(data); i++ {
			data[i] = byte(r.UintN(256))
		}
		f.Add(data)
	}
	e := newEngine(f, options{tweets: 3, workers: 1})
	g := &generator{e: e, callers: e.callers()}
	for path, methods := range e.document.Paths {
		for method := range methods {
			g.routes = append(g.routes, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(g.routes)
	for range 3 {
		e.publishDead(e.nats.Connect(f), "batch", "t.batch", `{"v":9}`)
	}
	for n := range 3 {
		row, tweet := e.row(n)
		g.ids = append(g.ids, row.String(), tweet, tweet+".csv")
	}
	g.ids = append(g.ids, e.zone.String(), "1", "2", "3")
	e.exec(`insert into twitter_rules (zone_id, tag, query, external_rule_id) values ($1, 'topic', 'q', 'r1')`, e.zone)
	f.Fuzz(func(t *testing.T, data []byte) {
		g.e = e.in(t) // one run after the other
		for c := (&choices{data: data}); len(c.data) > 0; {
			g.send(g.request(c))
		}
	})
}

// callers are headers of every kind of caller; the last two have no valid credentials.
func (e *engine) callers() [][]string {
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	_, admin := e.user("super_admin", false)
	_, operator := e.user("operator", true)
	_, stranger := e.user("manager", false)
	return [][]string{
		bearer(e.service), bearer(admin), bearer(operator), bearer(stranger),
		{"X-API-Key", webhookKey},
		nil, bearer("\xff.é.x"),
	}
}

// anyRequest is a request as it is sent.
type anyRequest struct {
	method, path, body string
	headers            []string
}

func (r anyRequest) String() string {
	return fmt.Sprintf("%s %.500s %.300q\n%.3000s", r.method, r.path, r.headers, r.body)
}

// send sends a request and judges the answer.
func (g *generator) send(q anyRequest) {
	e := g.e
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), anythingAnswers)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, q.method, e.url, strings.NewReader(q.body))
	testkit.Must(e.t, err)
	path, query, _ := strings.Cut(q.path, "?")
	r.URL.Opaque = e.url[len("http:"):] + path // as it is written, escapes and all
	r.URL.RawQuery = query
	for i := 0; i+1 < len(q.headers); i += 2 {
		r.Header.Add(q.headers[i], q.headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		e.t.Fatalf("%v\n%s", err, q)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") { // which has no end
		if a.body, err = io.ReadAll(res.Body); err != nil {
			e.t.Fatalf("%v\n%s", err, q)
		}
	}
	if a.status >= 500 {
		e.t.Errorf("%d: %.300s\n%s\n%s", a.status, a.body, q, lastLine(e.log.String(), "request failed"))
		return
	}
	e.conform(q.method, path, a)
}

// lastLine is the last line of a log with some words.
func lastLine(log, words string) string {
	lines := slices.DeleteFunc(strings.Split(log, "\n"), func(line string) bool { return !strings.Contains(line, words) })
	return strings.Join(lines[max(len(lines)-1, 0):], "")
}

// choices are decisions that are read from bytes, so that a fuzzer can change single ones.
type choices struct{ data []byte }

// n chooses a number below most.
func (c *choices) n(most int) int {
	v := 0
	for i := 0; i < 2 && len(c.data) > 0; i++ {
		v = v<<8 | int(c.data[0])
		c.data = c.data[1:]
	}
	return v % most
}

// oneIn is true once in so many times.
func (c *choices) oneIn(times int) bool { return c.n(times) == 0 }

func choose[T any](c *choices, from []T) T { return from[c.n(len(from))] }

// generator makes requests from the document.
type generator struct {
	e       *engine
	routes  []string
	callers [][]string
	ids     []string // that exist
}

// request makes a request.
func (g *generator) request(c *choices) anyRequest {
	method, pattern, _ := strings.Cut(choose(c, g.routes), " ")
	op := g.e.document.Paths[pattern][strings.ToLower(method)]
	q := anyRequest{method: method, path: pattern, headers: g.usual(op.Security)}
	if c.oneIn(3) {
		q.headers = choose(c, g.callers)
	}
	var query []string
	for _, p := range op.Parameters {
		switch p.In {
		case "path":
			q.path = strings.ReplaceAll(q.path, "{"+p.Name+"}", g.segment(c, p.Name, p.Schema))
		case "query":
			for range []int{0, 1, 1, 1, 2}[c.n(5)] {
				query = append(query, p.Name+"="+g.value(c, p.Name, p.Schema))
			}
		}
	}
	if c.oneIn(20) {
		query = append(query, choose(c, []string{"%zz", "a=;b", "=", "&&&", "q=%ff", "x[]=1"}))
	}
	if len(query) > 0 {
		q.path += "?" + strings.Join(query, "&")
	}
	for _, media := range op.RequestBody.Content {
		q.body = g.json(c, media.Schema, 0)
	}
	if c.oneIn(15) {
		q.body = choose(c, nastyJSON())
	}
	q.headers = append(slices.Clip(q.headers), g.header(c, q)...)
	return q
}

// usual are the headers of a caller that a route lets in.
func (g *generator) usual(security *[]map[string][]string) []string {
	for _, way := range *security {
		if _, ok := way["provider"]; ok {
			return g.callers[len(g.callers)-3]
		}
	}
	return g.callers[0]
}

// header makes another header, or none.
func (g *generator) header(c *choices, q anyRequest) []string {
	if c.oneIn(10) {
		return delivery(g.e.t, q.path, q.body, choose(c, headerValues()))
	}
	if !c.oneIn(3) {
		return nil
	}
	return []string{choose(c, []string{
		"Last-Event-ID", "Upstash-Message-Id", "X-Request-Id", "Idempotency-Key", "Content-Type", "Accept", "Origin", "X-Forwarded-For", "Traceparent", "Cookie",
	}), choose(c, headerValues())}
}

// headerValues are those of nastyText that a header can have.
func headerValues() []string {
	return slices.DeleteFunc(nastyText(), func(s string) bool { return strings.ContainsAny(s, "\x00\r\n") || len(s) > 8<<10 })
}

// segment makes a part of a path.
func (g *generator) segment(c *choices, name string, schema map[string]any) string {
	if !c.oneIn(3) {
		return choose(c, g.ids)
	}
	if v := g.value(c, name, schema); v != "" && v != "." && v != ".." {
		return v
	}
	return "0"
}

// value makes a value of a path or a query, escaped.
func (g *generator) value(c *choices, name string, schema map[string]any) string {
	switch {
	case c.oneIn(5):
		return url.PathEscape(choose(c, nastyText()))
	case schema["enum"] != nil:
		return fmt.Sprint(choose(c, schema["enum"].([]any)))
	case schema["format"] == "uuid":
		return choose(c, g.ids)
	}
	switch schema["type"] {
	case "integer", "number":
		return choose(c, []string{"0", "1", "2", "50", "200", "1000"})
	case "boolean":
		return choose(c, []string{"true", "false", "1"})
	}
	switch name {
	case "wait", "since":
		return choose(c, []string{"10ms", "1h"})
	case "from", "to":
		return choose(c, []string{"2020-01-01", "2100-01-01T00:00:00Z"})
	}
	return choose(c, []string{"a", "tweet"})
}

// json makes a value of a schema, or something else, as text: no decoder of Go's would
// write all of it.
func (g *generator) json(c *choices, schema map[string]any, depth int) string {
	if name, ok := schema["$ref"].(string); ok {
		schema = g.e.document.Components.Schemas[strings.TrimPrefix(name, "#/components/schemas/")]
	}
	if depth > 0 && c.oneIn(9) {
		return choose(c, nastyJSON())
	}
	kind := schema["type"]
	if kinds, ok := kind.([]any); ok {
		kind = choose(c, kinds)
	}
	switch kind {
	case "object":
		return g.object(c, schema, depth)
	case "array":
		var items []string
		for range c.n(4) {
			items = append(items, g.json(c, schema["items"].(map[string]any), depth+1))
		}
		return "[" + strings.Join(items, ",") + "]"
	case "integer", "number":
		return choose(c, []string{"0", "1", "7", "1000000"})
	case "boolean":
		return choose(c, []string{"true", "false"})
	case "null":
		return "null"
	case "string":
		return g.text(c, schema)
	}
	return choose(c, nastyJSON())
}

func (g *generator) text(c *choices, schema map[string]any) string {
	switch {
	case schema["enum"] != nil:
		return fmt.Sprintf("%q", choose(c, schema["enum"].([]any)))
	case schema["format"] == "uuid":
		return `"` + g.e.zone.String() + `"`
	case schema["format"] == "date-time":
		return choose(c, []string{`"2026-11-01T12:00:00Z"`, `"9999-12-31T23:59:59.999999999Z"`, `"0001-01-01T00:00:00Z"`})
	}
	return choose(c, []string{`"1981517640000000000"`, fmt.Sprintf(`"198151764%010d"`, c.n(1<<15)), `"r1"`, `"a text"`, `"tweet"`})
}

func (g *generator) object(c *choices, schema map[string]any, depth int) string {
	properties, _ := schema["properties"].(map[string]any)
	var members []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !c.oneIn(5) {
			members = append(members, fmt.Sprintf("%q:%s", name, g.json(c, properties[name].(map[string]any), depth+1)))
		}
	}
	if schema["additionalProperties"] != false || c.oneIn(20) {
		members = append(members, choose(c, []string{`"x"`, `""`, `"\u0000"`, `"\ud800"`})+":"+choose(c, nastyJSON()))
	}
	return "{" + strings.Join(members, ",") + "}"
}
