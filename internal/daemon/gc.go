package daemon

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what is in use before it is
// collected. A server has little in use and much that is short-lived: this
// halves the collector's share of a request (see docs/performance.md).
const gcPercent = 400

// tuneGC sets the collector's target unless the operator has, by GOGC.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
