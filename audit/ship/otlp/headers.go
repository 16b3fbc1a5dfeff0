package otlp

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Header is a header that is sent along to a collector. Its name is in lower case.
type Header struct{ Name, Value string }

// ReadHeaders reads a file of "Name: value" lines; empty lines and those that begin with #
// are nothing, and neither is a file without a name. Errors do not quote the file: it holds
// secrets.
func ReadHeaders(file string) ([]Header, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the headers for the collector: %w", err)
	}
	var headers []Header
	for i, line := range strings.Split(string(content), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		h := Header{strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)}
		if !h.valid() {
			return nil, fmt.Errorf(`line %d of the headers for the collector, %s, is not "Name: value"`, i+1, file)
		}
		headers = append(headers, h)
	}
	return headers, nil
}

// valid says whether both protocols can send it.
func (h Header) valid() bool {
	return httpguts.ValidHeaderFieldName(h.Name) && httpguts.ValidHeaderFieldValue(h.Value) && h.Value != "" && !strings.HasPrefix(h.Name, "grpc-")
}

// Bounds of what is quoted of a collector.
const (
	maxQuote  = 1000 // characters
	minSecret = 4    // bytes; what is shorter is none, and may stand anywhere
)

// Quote returns what a collector says as the log can do with it: in short, and without what it
// quotes of the headers that it was sent.
func Quote(text string, headers []Header) string {
	for _, h := range headers {
		_, token, _ := strings.Cut(h.Value, " ") // behind a scheme, as in "Bearer ..."
		for _, secret := range []string{h.Value, token} {
			if len(secret) >= minSecret {
				text = strings.ReplaceAll(text, secret, "***")
			}
		}
	}
	return fmt.Sprintf("%.*s", maxQuote, text)
}
