//go:build browser

// Package browsertest drives the dashboard in a headless Chromium, as a person
// would: it presses what is there and waits for what shows.
package browsertest

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds everything a test waits for; it is never reached when all is well.
const patience = 3 * time.Minute

// Browser is a window of its own, without anybody's cookies.
type Browser struct {
	tb  testing.TB
	ctx context.Context //nolint:containedctx // chromedp keeps the browser in it

	mu     sync.Mutex
	errors []string
}

// New opens a window of a size in pixels. What the page complains of, an error of
// a script or something refused by its policy, fails the test at its end.
func New(tb testing.TB, width, height int64) *Browser {
	tb.Helper()
	// Not tb.TempDir: Chromium may go on writing there for a moment after its end.
	profile, err := os.MkdirTemp("", "gorgone-browser-") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.DisableGPU,
		chromedp.UserDataDir(profile), chromedp.Flag("lang", "en-GB"), chromedp.WSURLReadTimeout(patience))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocated, release := chromedp.NewExecAllocator(context.WithoutCancel(tb.Context()), options...)
	ctx, closeWindow := chromedp.NewContext(allocated)
	b := &Browser{tb: tb, ctx: ctx}
	tb.Cleanup(func() {
		closeWindow()
		release()
		_ = os.RemoveAll(profile)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, text := range b.errors {
			tb.Errorf("the browser's console: %s", text)
		}
	})
	chromedp.ListenTarget(ctx, b.hear)
	if err := chromedp.Run(ctx, runtime.Enable(), log.Enable(), chromedp.EmulateViewport(width, height)); err != nil {
		tb.Fatalf("start Chromium (apt-get install chromium): %v", err)
	}
	return b
}

func (b *Browser) hear(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.APITypeError && e.Type != runtime.APITypeWarning {
			return
		}
		for _, a := range e.Args {
			text += string(a.Value) + a.Description + " "
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.LevelError {
			return
		}
		text = e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = append(b.errors, text)
}

// Forgive takes back complaints that hold a text; there must be one.
func (b *Browser) Forgive(text string) {
	b.tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var kept []string
	for _, e := range b.errors {
		if !strings.Contains(e, text) {
			kept = append(kept, e)
		}
	}
	if len(kept) == len(b.errors) {
		b.tb.Errorf("no complaint holds %q", text)
	}
	b.errors = kept
}

// Do runs actions in order.
func (b *Browser) Do(what string, actions ...chromedp.Action) {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.mu.Lock()
		seen := strings.Join(b.errors, "; ")
		b.mu.Unlock()
		var page string
		if errors.Is(err, context.DeadlineExceeded) {
			looking, stop := context.WithTimeout(b.ctx, 5*time.Second)
			defer stop()
			_ = chromedp.Run(looking, chromedp.Text("body", &page, chromedp.ByQuery))
		}
		b.tb.Fatalf("%s: %v\nconsole: %s\npage: %.1500s", what, err, seen, page)
	}
}

// Open goes to an address.
func (b *Browser) Open(url string) {
	b.tb.Helper()
	b.Do("open "+url, chromedp.Navigate(url))
}

// Until waits until an expression of JavaScript is true. While it throws, as it may of a page
// that is between two states, it is not.
func (b *Browser) Until(expression string) {
	b.tb.Helper()
	var ok bool
	poll := `(async () => { try { return Boolean(await (` + expression + `)) } catch { return false } })()`
	b.Do("wait until "+expression, chromedp.Poll(poll, &ok, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience)))
}

// Get returns what an expression of JavaScript is.
func Get[T any](b *Browser, expression string) (v T) {
	b.tb.Helper()
	b.Do("look at "+expression, chromedp.Evaluate(expression, &v))
	return v
}

// Click presses the first element that a selector finds.
func (b *Browser) Click(selector string) {
	b.tb.Helper()
	b.Do("press "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery))
}

// Type writes into an element.
func (b *Browser) Type(selector, text string) {
	b.tb.Helper()
	b.Do("write into "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// Press presses keys, wherever the focus is.
func (b *Browser) Press(keys string) {
	b.tb.Helper()
	b.Do("press keys", chromedp.KeyEvent(keys))
}

// Dark has the viewer's system prefer dark colours, or light ones.
func (b *Browser) Dark(dark bool) {
	b.tb.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	b.Do("prefer "+value, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}))
}

// Resize changes the size of the window.
func (b *Browser) Resize(width, height int64) {
	b.tb.Helper()
	b.Do("resize", chromedp.EmulateViewport(width, height))
}

// Picture saves what the window shows as a PNG file.
func (b *Browser) Picture(file string) {
	b.tb.Helper()
	var png []byte
	b.Do("take a picture", chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(file, png, 0o600); err != nil {
		b.tb.Fatal(err)
	}
}
