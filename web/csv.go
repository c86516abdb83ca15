package web

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/web/answers"
)

func csvHeaders(h http.Header, name string) {
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
}

func writeTweetCSV(w http.ResponseWriter, t store.Tweet, snapshots []engagement.Snapshot) error {
	var body bytes.Buffer
	c := csv.NewWriter(&body)
	_ = c.Write(answers.CSVColumns)
	for _, s := range snapshots {
		_ = c.Write(answers.CSVCells(s))
	}
	c.Flush()
	csvHeaders(w.Header(), "tweet-"+t.TweetID+".csv")
	_, _ = w.Write(body.Bytes())
	return nil
}

func zoneFile(zone uuid.UUID) string { return "zone-" + zone.String() + ".csv" }

// export streams the snapshots of a zone, page by page.
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
	if r.Method == http.MethodHead {
		csvHeaders(w.Header(), zoneFile(zone))
		w.WriteHeader(http.StatusOK)
		return nil // it has no body to read the zone for
	}
	begun := false
	page := func(rows []history.ExportRow) error {
		select {
		case <-r.left:
			return context.Canceled
		default:
		}
		var body bytes.Buffer
		c := csv.NewWriter(&body)
		if !begun {
			begun = true
			csvHeaders(w.Header(), zoneFile(zone))
			_ = c.Write(answers.ExportColumns())
		}
		for _, e := range rows {
			_ = c.Write(answers.ExportCells(e.Row, e.TweetID, e.Posted, e.Snapshot))
		}
		c.Flush()
		// The export may take long; each page has the usual time.
		if err := extendDeadlines(w, 0); err != nil {
			return err
		}
		if _, err := io.Copy(w, &body); err != nil {
			return fmt.Errorf("send a page of an export: %w", err)
		}
		return nil
	}
	err = s.parts.History.Export(r.Context(), zone, within, page)
	switch {
	case err == nil && !begun:
		return page(nil)
	case err != nil && begun:
		// The status has been sent. Breaking the connection is the only way left to
		// say that the rest is missing.
		s.log.Warn().Err(err).Str("request", noteOf(r.Context()).id).Msg("export failed after its first page")
		panic(http.ErrAbortHandler)
	}
	return err
}
