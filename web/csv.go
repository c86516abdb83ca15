package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

// csvColumns are named as in the product's tables.
var csvColumns = []string{
	"snapshot_at", "retweet_count", "reply_count", "like_count", "quote_count", "view_count", "bookmark_count", "total_engagement",
	"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views", "engagement_velocity",
	"provider", "provider_changed",
}

// csvCells are the cells of a snapshot. What is not known is empty, never 0.
func csvCells(s engagement.Snapshot) []string {
	m, d := s.Metrics, s.Deltas
	cells := make([]string, 0, len(csvColumns))
	cells = append(cells, s.At.Format(time.RFC3339Nano))
	count := func(counts ...engagement.Count) {
		for _, c := range counts {
			text := ""
			if c.Known() {
				text = c.String()
			}
			cells = append(cells, text)
		}
	}
	count(m.Retweets, m.Replies, m.Likes, m.Quotes, m.Views, m.Bookmarks, engagement.Known(m.Total()))
	count(d.Retweets, d.Replies, d.Likes, d.Quotes, d.Views)
	velocity := ""
	if s.Velocity != nil {
		velocity = strconv.FormatFloat(*s.Velocity, 'f', -1, 64)
	}
	return append(cells, velocity, s.Provider, strconv.FormatBool(s.ProviderChanged))
}

func csvHeaders(h http.Header, name string) {
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
}

func writeTweetCSV(w http.ResponseWriter, t store.Tweet, snapshots []engagement.Snapshot) error {
	var body bytes.Buffer
	c := csv.NewWriter(&body)
	_ = c.Write(csvColumns)
	for _, s := range snapshots {
		_ = c.Write(csvCells(s))
	}
	c.Flush()
	csvHeaders(w.Header(), "tweet-"+t.TweetID+".csv")
	_, _ = w.Write(body.Bytes())
	return nil
}

// export writes the snapshots of a zone as they are read, page by page.
func (s *Server) export(w http.ResponseWriter, r *request) error {
	zone, err := uuid.Parse(r.PathValue("zone"))
	if err != nil {
		return badRequest("the zone in the path is not a UUID")
	}
	if err := r.mayIn(zone); err != nil {
		return err
	}
	within, err := r.between()
	if err != nil {
		return err
	}
	if _, err := s.parts.Tracker.Zone(r.Context(), zone); err != nil {
		return err
	}
	begun := false
	page := func(rows []store.ExportRow) error {
		var body bytes.Buffer
		c := csv.NewWriter(&body)
		if !begun {
			begun = true
			csvHeaders(w.Header(), "zone-"+zone.String()+".csv")
			_ = c.Write(append([]string{"id", "tweet_id", "twitter_created_at"}, csvColumns...))
		}
		for _, e := range rows {
			_ = c.Write(append([]string{e.Row.String(), e.TweetID, e.Posted.Format(time.RFC3339)}, csvCells(e.Snapshot)...))
		}
		c.Flush()
		// However long it all takes, each page gets only so long.
		if err := takeTime(w, 0); err != nil {
			return err
		}
		if _, err := io.Copy(w, &body); err != nil {
			return fmt.Errorf("send a page of an export: %w", err)
		}
		return nil
	}
	err = s.parts.Tweets.Export(r.Context(), zone, within, page)
	switch {
	case err == nil && !begun:
		return page(nil)
	case err != nil && begun:
		// The status is long sent. A connection that breaks is the only way left
		// to say that the rest is missing.
		s.log.Warn().Err(err).Str("request", noteOf(r.Context()).id).Msg("an export was cut off")
		panic(http.ErrAbortHandler)
	}
	return err
}
