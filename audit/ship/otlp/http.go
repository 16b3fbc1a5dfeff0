package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/strongroom-kms/strongroom/audit/ship"
)

// maxAnswer bounds what is read of a collector's answer, in bytes.
const maxAnswer = 64 << 10

// httpTransport is OTLP/HTTP with protobuf.
type httpTransport struct {
	url    string
	client *http.Client
}

func newHTTP(endpoint *url.URL, config *tls.Config) transport {
	if endpoint.Path == "" || endpoint.Path == "/" {
		endpoint = endpoint.JoinPath("v1", "logs")
	}
	return &httpTransport{
		url: endpoint.String(),
		client: &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute},
			// A header with a password goes to the endpoint that is configured and to no other.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (t *httpTransport) close() error {
	t.client.CloseIdleConnections()
	return nil
}

func (t *httpTransport) export(ctx context.Context, headers []Header, message *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	request, err := t.request(ctx, headers, message)
	if err != nil {
		return nil, err
	}
	answer, err := t.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("sending to the collector: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, fmt.Errorf("reading the collector's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, httpFate(answer, Quote(reason(answer, body), headers), time.Now())
	}
	exported := &collector.ExportLogsServiceResponse{}
	if err := proto.Unmarshal(body, exported); err != nil {
		return nil, fmt.Errorf("reading the collector's answer: %w", err)
	}
	return exported, nil
}

func (t *httpTransport) request(ctx context.Context, headers []Header, message *collector.ExportLogsServiceRequest) (*http.Request, error) {
	body, err := proto.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encoding log records: %w", err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(body)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("compressing log records: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, &packed)
	if err != nil {
		return nil, fmt.Errorf("preparing a request to the collector: %w", err)
	}
	for _, h := range headers {
		request.Header.Set(h.Name, h.Value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Content-Encoding", "gzip")
	return request, nil
}

// reason is what a collector says of a failure.
func reason(answer *http.Response, body []byte) string {
	details := &rpcstatus.Status{}
	if proto.Unmarshal(body, details) == nil && details.GetMessage() != "" {
		return answer.Status + ": " + details.GetMessage()
	}
	return answer.Status
}

// httpFate says what becomes of records after a failure, as grpcFate does.
func httpFate(answer *http.Response, reason string, now time.Time) error {
	err := fmt.Errorf("the collector answered %s", reason)
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return &ship.Refusal{Reason: reason}
	case http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %w", ship.ErrTooLarge, err)
	}
	if after, told := retryAfter(answer.Header.Get("Retry-After"), now); told {
		return &ship.Later{After: after, Err: err}
	}
	return err
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	return max(at.Sub(now), 0), err == nil
}
