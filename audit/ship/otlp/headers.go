package otlp

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// header is a header that is sent along.
type header struct{ name, value string }

// readHeaders reads a file of "Name: value" lines; empty lines and those that begin with #
// are nothing. Errors do not quote the file: it holds secrets.
func readHeaders(file string) ([]header, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the headers for the collector: %w", err)
	}
	var headers []header
	for i, line := range strings.Split(string(content), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		h := header{strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)}
		if !h.valid() {
			return nil, fmt.Errorf(`line %d of the headers for the collector, %s, is not "Name: value"`, i+1, file)
		}
		headers = append(headers, h)
	}
	return headers, nil
}

// valid says whether both protocols can send it.
func (h header) valid() bool {
	return httpguts.ValidHeaderFieldName(h.name) && httpguts.ValidHeaderFieldValue(h.value) && h.value != "" && !strings.HasPrefix(h.name, "grpc-")
}
