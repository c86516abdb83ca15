// Package otlp sends spans by OTLP over HTTP, in protobuf, by the variables of the
// protocol's specification (OTEL_EXPORTER_OTLP_…). OpenTelemetry's own client for this,
// otlptracehttp, links gRPC, which nothing here speaks: a hundred packages, a twelfth of
// what a first build compiles.
package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	defaultTimeout = 10 * time.Second // the specification's
	firstRetry     = time.Second      // and then twice as long each time
	maxAnswer      = 64 << 10         // bytes that are read of an answer
)

// Client sends spans to a collector. It is a client of an exporter of package otlptrace.
type Client struct {
	endpoint string
	header   http.Header
	gzip     bool
	timeout  time.Duration // of a batch of spans, retries included
	http     *http.Client
}

// NewClient makes a client of variables; those of traces alone go first. Errors show no
// values.
func NewClient(getenv func(string) string) (*Client, error) {
	setting := func(name string) string {
		if own := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); own != "" {
			return own
		}
		return getenv("OTEL_EXPORTER_OTLP_" + name)
	}
	c := &Client{timeout: defaultTimeout, gzip: setting("COMPRESSION") == "gzip"}
	var err error
	if c.endpoint, err = endpointOf(getenv); err != nil {
		return nil, err
	}
	if c.header, err = headersOf(setting("HEADERS")); err != nil {
		return nil, err
	}
	if text := setting("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms <= 0 {
			return nil, errors.New("OTEL_EXPORTER_OTLP_TIMEOUT: want milliseconds, such as 10000")
		}
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = tlsOf(setting); err != nil {
		return nil, err
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // headers are for this host
	return c, nil
}

// endpointOf is where traces go: the address for traces as it is, or a path under that for
// all signals.
func endpointOf(getenv func(string) string) (string, error) {
	name, path := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""
	if getenv(name) == "" {
		name, path = "OTEL_EXPORTER_OTLP_ENDPOINT", "v1/traces"
	}
	u, err := url.Parse(getenv(name))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%s: want an address like http://localhost:4318", name)
	}
	return u.JoinPath(path).String(), nil
}

// headersOf reads name=value, name=value, whose values may be percent-encoded.
func headersOf(text string) (http.Header, error) {
	h := http.Header{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: want name=value,name=value, with values percent-encoded")
		}
		h.Set(name, value)
	}
	return h, nil
}

func tlsOf(setting func(string) string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := setting("CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE: the file holds no certificate in PEM")
		}
	}
	cert, key := setting("CLIENT_CERTIFICATE"), setting("CLIENT_KEY")
	if (cert == "") != (key == "") {
		return nil, errors.New("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: want both or neither")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// Start does nothing: a call opens its connection.
func (c *Client) Start(context.Context) error { return nil }

// Stop closes idle connections.
func (c *Client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, again and again where the collector asks for it, until the
// timeout is over. An error of type [net/url.Error] shows the address.
func (c *Client) UploadTraces(ctx context.Context, spans []*otlp.ResourceSpans) error {
	// On the wire this is an ExportTraceServiceRequest, whose package links gRPC.
	body, err := proto.Marshal(&otlp.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	if c.gzip {
		if body, err = compressed(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for wait := firstRetry; ; wait *= 2 {
		after, err := c.send(ctx, body)
		if err == nil || after < 0 {
			return err
		}
		timer := time.NewTimer(max(wait, after))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

func compressed(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("compress spans: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress spans: %w", err)
	}
	return out.Bytes(), nil
}

// send makes one call. After an error it says how long to wait at least before the next
// one; a negative time means that none would help.
func (c *Client) send(ctx context.Context, body []byte) (after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return -1, fmt.Errorf("send spans: %w", err)
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	if c.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send spans: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode/100 == 2 && err == nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-protobuf"):
		return -1, rejected(answer)
	case resp.StatusCode/100 == 2:
		return -1, nil
	}
	err = fmt.Errorf("send spans: the collector answered %s", resp.Status)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return time.Duration(max(seconds, 0)) * time.Second, err
	}
	return -1, err
}

// rejected reads what an ExportTraceServiceResponse says of spans that were not taken: in
// field 1 their number (1) and why (2).
func rejected(answer []byte) error {
	partial, _ := field(answer, 1)
	why, _ := field(partial, 2)
	_, n := field(partial, 1)
	if n == 0 && len(why) == 0 {
		return nil
	}
	return fmt.Errorf("the collector rejected %d spans: %.200s", n, why)
}

// field finds the last field of a number in a message, one of bytes or a whole number.
func field(message []byte, number protowire.Number) (text []byte, n uint64) {
	for len(message) > 0 {
		num, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return text, n
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(num, kind, message); size < 0 {
			return text, n
		}
		if num == number {
			switch kind {
			case protowire.BytesType:
				text, _ = protowire.ConsumeBytes(message)
			case protowire.VarintType:
				n, _ = protowire.ConsumeVarint(message)
			}
		}
		message = message[size:]
	}
	return text, n
}
