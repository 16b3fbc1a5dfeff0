package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	"github.com/strongroom-kms/strongroom/integration/faultp11"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// entry is an HSM audit entry, as far as the checks look at it.
type entry struct {
	Time          time.Time
	HSM           string
	SequenceNo    uint64
	Function      string
	RV            uint64
	NoReply       bool
	SessionHandle uint64
	PrivateHandle uint64
	text          string
}

// String is the entry's JSON.
func (e *entry) String() string { return e.text }

// entries returns the logs of all HSMs.
func (w *world) entries(ctx context.Context) (map[string][]*entry, error) {
	stream, err := w.link.get().Operator.StreamHsmLog(ctx, &operatorv1.StreamHsmLogRequest{})
	if err != nil {
		return nil, fmt.Errorf("streaming the HSM log: %w", err)
	}
	of := map[string][]*entry{}
	_, err = w.each(stream, "StreamHsmLog", func() error {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		e := &entry{text: m.GetEntryJson()}
		of[m.GetHsmId()] = append(of[m.GetHsmId()], e)
		return json.Unmarshal([]byte(e.text), e)
	})
	return of, err
}

// manages tells whether a call is one that leaves an entry. A call that asked only how
// long its result is leaves one if it failed: then it is all that there was of the command.
func manages(c faultp11.Call) bool {
	switch c.Function {
	case "C_InitToken", "C_Initialize", "C_InitPIN", "C_SetPIN", "C_Login", "C_Logout", "C_Finalize",
		"C_GenerateKey", "C_GenerateKeyPair", "C_DestroyObject", "C_CreateObject", "C_CopyObject",
		"C_SetAttributeValue", "C_WrapKey", "C_UnwrapKey", "C_DeriveKey":
		return c.RV != ckr.OK || !slices.Contains(c.Remarks, "length-only")
	}
	return false
}

// command is what a call and its entry have in common.
type command struct {
	Function            string
	RV, Session, Object uint64
}

// kills are the moments at which the server was killed. What its workers have done
// just before may be missing from the log.
type kills []time.Time

// unsaid is how long before a kill of the server, or after it, a command may be that is
// missing: the worker's report was on its way, or it was not over yet.
const unsaid = 2 * time.Second

func (k kills) near(t time.Time) bool {
	return slices.ContainsFunc(k, func(kill time.Time) bool { return t.Sub(kill).Abs() < unsaid })
}

// apart is how far an entry's time and that of its call may be apart.
const apart = 5 * time.Second

// checkLog compares the log of an HSM, as it was some time after until, with the calls
// that its library was asked for, both ways. An entry without a reply may have any one
// call of its function, or none.
func checkLog(hsm string, calls []faultp11.Call, entries []*entry, dead kills, until time.Time) []violation {
	var found []violation
	unmatched := map[command][]faultp11.Call{}
	for _, c := range calls {
		if manages(c) {
			k := command{c.Function, uint64(c.RV), c.Session, c.Object}
			unmatched[k] = append(unmatched[k], c)
		}
	}
	silent := map[string]int{}
	for i, e := range entries {
		if e.SequenceNo != uint64(i) {
			found = append(found, violation{"HSM log", nil, fmt.Sprintf("%s: entry %d has the number %d", hsm, i, e.SequenceNo)})
		}
		if e.NoReply {
			silent[e.Function]++
			continue
		}
		k := command{e.Function, e.RV, e.SessionHandle, e.PrivateHandle}
		at := nearest(unmatched[k], e.Time)
		if at < 0 {
			found = append(found, violation{"HSM log", nil, fmt.Sprintf("%s: no such call was made: %v", hsm, e)})
			continue
		}
		unmatched[k] = slices.Delete(unmatched[k], at, at+1)
	}
	return append(found, unsaidCalls(hsm, unmatched, silent, dead, until)...)
}

// nearest returns the index of the call that was made nearest to a time, since handles
// come again; -1: there is none that is near.
func nearest(calls []faultp11.Call, t time.Time) int {
	best, at := apart, -1
	for i, c := range calls {
		if d := c.Time.Sub(t).Abs(); d < best {
			best, at = d, i
		}
	}
	return at
}

// unsaidCalls are the calls without an entry, but for those that may have none.
func unsaidCalls(hsm string, unmatched map[command][]faultp11.Call, silent map[string]int, dead kills, until time.Time) []violation {
	var found []violation
	for _, calls := range unmatched {
		for _, c := range calls {
			switch {
			case dead.near(c.Time), c.Time.After(until):
			case silent[c.Function] > 0:
				silent[c.Function]--
			default:
				found = append(found, violation{"HSM log", nil, fmt.Sprintf("%s: the log lacks %+v", hsm, c)})
			}
		}
	}
	return found
}

// checkPINs expects that nobody has given a wrong PIN: all PINs are right here.
func checkPINs(hsm string, calls []faultp11.Call) []violation {
	var found []violation
	for _, c := range calls {
		if c.Function == "C_Login" && (c.RV == ckr.PINIncorrect || c.RV == ckr.PINLocked) {
			found = append(found, violation{"PINs", nil, fmt.Sprintf("%s: %+v", hsm, c)})
		}
	}
	return found
}

// checkLogs checks the logs of all HSMs.
func (w *world) checkLogs(ctx context.Context) (map[string][]*entry, error) {
	until := time.Now().Add(-unsaid)
	of, err := w.entries(ctx)
	if err != nil {
		return nil, err
	}
	w.report.entries = 0
	for _, h := range w.hsms {
		calls, err := h.faults.Calls()
		if err != nil {
			return nil, err
		}
		w.report.entries += len(of[h.id])
		w.objectAll(checkPINs(h.id, calls))
		w.objectAll(checkLog(h.id, calls, of[h.id], w.kills, until))
	}
	return of, nil
}
