package daemon

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what is in use before it is
// collected. A server has little in use and much that is short-lived: this
// halves the collector's share of a request (see docs/performance.md).
const gcPercent = 400

// TuneGC sets the collector's target unless the operator has, by GOGC. It is for
// processes that are a server and nothing else.
func TuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
