package hsmpool

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// maxLogLine bounds what is kept of a line that a library prints without end.
const maxLogLine = 8 << 10

// logJoiner takes a worker's standard error, one JSON object of hclog a line, and
// logs it here. Other lines are what the library or the runtime printed: at debug level,
// since nobody knows what a library prints. It is an io.Writer for one goroutine.
type logJoiner struct {
	log  hclog.Logger
	line []byte
}

func newLogJoiner(log hclog.Logger) *logJoiner { return &logJoiner{log: log} }

// Write logs every line that b completes. It never fails.
func (j *logJoiner) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, found := bytes.Cut(b, []byte{'\n'})
		if room := maxLogLine - len(j.line); len(line) > room {
			line = line[:room]
		}
		j.line = append(j.line, line...)
		if !found {
			return n, nil
		}
		j.emit()
		b = rest
	}
}

func (j *logJoiner) emit() {
	defer func() { j.line = j.line[:0] }()
	if len(bytes.TrimSpace(j.line)) == 0 {
		return
	}
	var fields map[string]any
	if err := json.Unmarshal(j.line, &fields); err != nil {
		j.log.Debug("worker printed", "line", strings.ToValidUTF8(string(j.line), "?"))
		return
	}
	message, _ := fields["@message"].(string)
	level, _ := fields["@level"].(string)
	j.log.Log(hclog.LevelFromString(level), message, pairs(fields)...)
}

// pairs returns the fields that are not hclog's own, as keys and values, by key.
func pairs(fields map[string]any) []any {
	var kv []any
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !strings.HasPrefix(key, "@") {
			kv = append(kv, key, fields[key])
		}
	}
	return kv
}
