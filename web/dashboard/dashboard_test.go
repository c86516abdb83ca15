package dashboard_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"gorgone/web/dashboard"
)

// TestVendored holds the files that were not written here against what was
// published: npm pack uplot@1.6.32 (sha256 of the archive 4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d),
// of which dist/uPlot.esm.js, dist/uPlot.min.css and LICENSE were copied as they are.
func TestVendored(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"uPlot.js":      "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
		"uPlot.css":     "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
		"uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
	}
	files, err := os.ReadDir("site/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		body, err := os.ReadFile("site/vendor/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if got := hex.EncodeToString(sum[:]); got != want[f.Name()] {
			t.Errorf("%s has the checksum %s, want %q", f.Name(), got, want[f.Name()])
		}
		delete(want, f.Name())
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

func get(t *testing.T, h http.Handler, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}

func TestHandler(t *testing.T) {
	t.Parallel()
	h, err := dashboard.NewHandler(dashboard.Settings{SupabaseURL: "https://x.supabase.co", SupabaseKey: "public"})
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, h, "/")
	defer page.Body.Close()
	policy := page.Header.Get("Content-Security-Policy")
	if page.StatusCode != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("status %d, %v", page.StatusCode, page.Header)
	}
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "require-trusted-types-for 'script'", "connect-src 'self' https://x.supabase.co;"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is weak: %s", policy)
	}
	script := get(t, h, "/assets/app.js")
	defer script.Body.Close()
	tag := script.Header.Get("ETag")
	if script.StatusCode != http.StatusOK || !strings.HasPrefix(script.Header.Get("Content-Type"), "text/javascript") || tag == "" {
		t.Errorf("script: status %d, %v", script.StatusCode, script.Header)
	}
	again := get(t, h, "/assets/app.js", "If-None-Match", tag)
	defer again.Body.Close()
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: status %d", again.StatusCode)
	}
	for _, path := range []string{"/assets/", "/assets/index.html", "/assets/../dashboard.go", "/assets/nothing.js"} {
		res := get(t, h, path)
		if res.Body.Close(); res.StatusCode != http.StatusNotFound || h.Has(path) {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
	}
	if _, err := dashboard.NewHandler(dashboard.Settings{SupabaseURL: "x.supabase.co; script-src *"}); err == nil {
		t.Error("a URL that is none got into the policy")
	}
}

// TestScriptsAreSafe: nothing in our own scripts makes markup, or code, from text,
// and nothing in the page needs a policy that allows it.
func TestScriptsAreSafe(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:|setAttribute\(.style`)
	inline := regexp.MustCompile(`(?i)<script[^>]*>[^<]|\son[a-z]+=|style=|https?://`)
	checked := 0
	for _, dir := range []string{"site", "site/pages"} {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.IsDir() {
				continue
			}
			body, err := os.ReadFile(dir + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			checked++
			if found := bad.Find(body); found != nil {
				t.Errorf("%s/%s has %q", dir, f.Name(), found)
			}
			if strings.HasSuffix(f.Name(), ".html") {
				if found := inline.Find(body); found != nil {
					t.Errorf("%s has %q", f.Name(), found)
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d files were looked at", checked)
	}
}
