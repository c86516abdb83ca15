// Package dashboard is the page that shows how the engine is doing: files that are
// part of the binary, and nothing that needs building. The files hold no data; the
// page fetches all of it from the routes of package web, with the credentials of
// whoever looks at it.
//
// What the page shows was written by strangers, so its scripts make no HTML from
// text, and the policy that it is sent with lets the browser refuse any that tries.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

//go:embed site
var embedded embed.FS

// Settings is what the login page offers. It is open to all.
type Settings struct {
	Version string `json:"version"`
	Local   bool   `json:"local"` // there is a local login
	// SupabaseURL and SupabaseKey let people log in with e-mail and password. The
	// key is the project's publishable one, which is no secret. May be empty.
	SupabaseURL string `json:"supabase_url,omitempty"`
	SupabaseKey string `json:"supabase_key,omitempty"`
}

// page is one file as it is sent.
type page struct {
	kind, tag string
	body      []byte
}

// Handler serves the page at / and its files below /assets/.
type Handler struct {
	pages  map[string]page // by path
	policy string
}

// NewHandler returns a handler.
func NewHandler(s Settings) (*Handler, error) {
	h := &Handler{pages: make(map[string]page)}
	connect := "'self'"
	if s.SupabaseURL != "" {
		u, err := url.Parse(s.SupabaseURL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, fmt.Errorf("dashboard: %q is not the URL of a Supabase project", s.SupabaseURL)
		}
		connect += " " + u.Scheme + "://" + u.Host
	}
	h.policy = strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src " + connect,
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		"require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
	err := fs.WalkDir(embedded, "site", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		at := "/assets" + strings.TrimPrefix(name, "site")
		if at == "/assets/index.html" {
			at = "/"
		}
		return h.add(at, body)
	})
	if err != nil {
		return nil, fmt.Errorf("dashboard: read its files: %w", err)
	}
	settings, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("dashboard: encode its settings: %w", err)
	}
	return h, h.add("/assets/settings.json", settings)
}

// kinds are the types of the files. They are not looked up on the machine, whose
// tables differ.
var kinds = map[string]string{
	"": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".json": "application/json; charset=utf-8", ".LICENSE": "text/plain; charset=utf-8",
}

func (h *Handler) add(at string, body []byte) error {
	kind, known := kinds[path.Ext(at)]
	if !known {
		return fmt.Errorf("%s: files of this kind are not served", at)
	}
	sum := sha256.Sum256(body)
	h.pages[at] = page{kind, `"` + hex.EncodeToString(sum[:16]) + `"`, body}
	return nil
}

// Has reports whether there is a file at a path.
func (h *Handler) Has(at string) bool {
	_, found := h.pages[at]
	return found
}

// ServeHTTP answers with a file, which [Handler.Has].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, found := h.pages[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", h.policy)
	header.Set("Content-Type", p.kind)
	header.Set("ETag", p.tag)
	header.Set("Cache-Control", "no-cache") // ask whether it changed: an upgrade shows at once
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.body))
}
