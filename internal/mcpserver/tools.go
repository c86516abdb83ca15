package mcpserver

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const instructions = `Gorgone keeps the engagement counts of tweets fresh. id is the id of a row, tweet_id the
platform's id; tools take either, and a tweet's address. Counts that are null are not known. Start with top or alerts to
find what moves, then read the history of a tweet. refresh costs money: use it only when asked for
counts as of now.`

// historyPoints is how many snapshots a history has where the caller does not say: more
// would fill an assistant's memory.
const historyPoints = 200

type historyInput struct {
	Tweet string `json:"tweet" jsonschema:"id of the tweet's row, or the platform's id, or the tweet's address"`
	From  string `json:"from,omitempty" jsonschema:"from this RFC 3339 time or date on"`
	To    string `json:"to,omitempty" jsonschema:"before this RFC 3339 time or date"`
	Limit int    `json:"limit,omitempty" jsonschema:"the latest so many snapshots, 200 by default, at most 10000"`
}

type topInput struct {
	By     string `json:"by,omitempty" jsonschema:"velocity (engagements an hour, the default) or engagement"`
	Since  string `json:"since,omitempty" jsonschema:"tweets posted since then: an RFC 3339 time, a date, or how long ago, such as 6h; 24h by default"`
	Zone   string `json:"zone,omitempty" jsonschema:"id of the only zone to look at"`
	Offset int    `json:"offset,omitempty" jsonschema:"how many to pass over"`
	Limit  int    `json:"limit,omitempty" jsonschema:"how many, 20 by default, at most 200"`
}

type alertsInput struct {
	Active bool   `json:"active,omitempty" jsonschema:"only those that are not over"`
	Since  string `json:"since,omitempty" jsonschema:"raised since then: an RFC 3339 time, a date, or how long ago, such as 6h; 30 days by default"`
	Zone   string `json:"zone,omitempty" jsonschema:"id of the only zone to look at"`
	Offset int    `json:"offset,omitempty" jsonschema:"how many to pass over"`
	Limit  int    `json:"limit,omitempty" jsonschema:"how many, 50 by default, at most 200"`
}

type refreshInput struct {
	Tweet string `json:"tweet" jsonschema:"id of the tweet's row, or the platform's id, or the tweet's address"`
	Force bool   `json:"force,omitempty" jsonschema:"look it up even if that was done less than 15 s ago, where the caller may"`
}

type noInput struct{}

// newServer returns a server whose tools call the API as one caller.
func newServer(a *api, version string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "gorgone", Title: "Gorgone engagement engine", Version: version}, &mcp.ServerOptions{Instructions: instructions})
	add(s, "history", "The counts of a tweet over time, oldest first, with its velocity and forecast.", func(ctx context.Context, in historyInput) (json.RawMessage, error) {
		if in.Limit == 0 {
			in.Limit = historyPoints
		}
		return a.get(ctx, "/api/twitter/engagement/"+url.PathEscape(in.Tweet), query{"from": in.From, "to": in.To, "limit": number(in.Limit)}.values())
	})
	add(s, "top", "The tweets that gain most engagement.", func(ctx context.Context, in topInput) (json.RawMessage, error) {
		return a.get(ctx, "/api/twitter/engagement/top", query{"by": in.By, "since": in.Since, "zone": in.Zone, "offset": number(in.Offset), "limit": number(in.Limit)}.values())
	})
	add(s, "statistics", "How the schedule is doing: tweets by tier, what is due, lateness, queue, providers.", func(ctx context.Context, _ noInput) (json.RawMessage, error) {
		return a.get(ctx, "/api/twitter/engagement/update", nil)
	})
	add(s, "cost", "What look-ups cost today and this month in dollars, the budgets, and the provider's balance.", func(ctx context.Context, _ noInput) (json.RawMessage, error) {
		return a.get(ctx, "/api/twitter/cost", nil)
	})
	add(s, "alerts", "What alert rules have told of, the latest first.", func(ctx context.Context, in alertsInput) (json.RawMessage, error) {
		active := ""
		if in.Active {
			active = "true"
		}
		return a.get(ctx, "/api/twitter/alerts", query{"active": active, "since": in.Since, "zone": in.Zone, "offset": number(in.Offset), "limit": number(in.Limit)}.values())
	})
	mcp.AddTool(s, &mcp.Tool{
		Name:        "refresh",
		Description: "Look a tweet up now. It costs money, and is held to the caller's limits and the day's budget.",
		Annotations: &mcp.ToolAnnotations{DestructiveHint: new(false)},
	}, handler(func(ctx context.Context, in refreshInput) (json.RawMessage, error) { return a.refresh(ctx, in) }))
	return s
}

// add adds a tool that only reads.
func add[In any](s *mcp.Server, name, description string, read func(context.Context, In) (json.RawMessage, error)) {
	mcp.AddTool(s, &mcp.Tool{
		Name: name, Description: description,
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(false)},
	}, handler(read))
}

// handler answers a tool's call with what the API answers. A refusal is an error of the
// tool, which the assistant reads.
func handler[In any](call func(context.Context, In) (json.RawMessage, error)) mcp.ToolHandlerFor[In, any] {
	return func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
		answer, err := call(ctx, in)
		if err != nil {
			return nil, nil, err
		}
		return nil, answer, nil
	}
}

// query is a query's names and values.
type query map[string]string

// values leaves out what is empty.
func (q query) values() url.Values {
	values := make(url.Values)
	for name, value := range q {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// number is "" for 0.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
