//go:build unrecorded

package audit

import "github.com/hashicorp/go-hclog"

// leftOut says whether an event is not recorded: that of a request that changes
// nothing. A build with the tag "unrecorded", which only the benchmark makes,
// shows what a request costs without its record.
func leftOut(e *APIEvent) bool { return e.ReadOnly }

// warnLeftOut tells the log what this build is.
func warnLeftOut(log hclog.Logger) {
	log.Warn("this build is for measuring only: requests that change nothing leave no event")
}
