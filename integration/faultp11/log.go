package faultp11

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// Call is a call of a C_ function as the log has it, when it had ended.
type Call struct {
	PID      int
	Time     time.Time
	Function string
	RV       ckr.RV
	// Session and Object are handles; 0: the call has none. Object is the new one, the
	// private key of a pair, or the last one given: of C_WrapKey the key that is wrapped.
	Session, Object uint64
	// Mechanism is what the call was given, or what the operation is by with which it goes
	// on; or NoMechanism.
	Mechanism uint
	// Remarks say what was special: struck (by a fault of calls), killed, length-only
	// (the caller asked how long the result is), two-threads (another call was under way in
	// the session), order (a call out of the order that the standard wants), and iv-not-zero
	// (of CloudHSM).
	Remarks []string
}

// NoMechanism is the mechanism of a call that has none.
const NoMechanism = ^uint(0)

// Calls returns the calls that were made, of all processes, in the order in which they
// ended. The Library must have been opened with a log.
func (l *Library) Calls() ([]Call, error) {
	file, err := os.Open(l.log())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the log of calls: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	var calls []Call
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		call, err := parseCall(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("reading the log of calls: %w", err)
		}
		calls = append(calls, call)
	}
	return calls, lines.Err()
}

func parseCall(line string) (Call, error) {
	var c Call
	var rv uint64
	var nanoseconds int64
	var remarks string
	_, err := fmt.Sscanf(line, "%d %d %s %v %v %d %v %s",
		&c.PID, &nanoseconds, &c.Function, &rv, &c.Session, &c.Object, &c.Mechanism, &remarks)
	if err != nil {
		return Call{}, fmt.Errorf("line %q: %w", line, err)
	}
	c.Time, c.RV = time.Unix(0, nanoseconds), ckr.Of(rv)
	if remarks != "-" {
		c.Remarks = strings.Split(remarks, ",")
	}
	return c, nil
}
