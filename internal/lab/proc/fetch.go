package proc

import (
	"context"
	"io"
	"net/http"
	"time"
)

// mostOfPage is how many bytes of a page are read.
const mostOfPage = 16 << 20

// Fetch reads a page of a process of ours, within a time. Whatever status it has is no error.
func Fetch(ctx context.Context, within time.Duration, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, mostOfPage))
}
