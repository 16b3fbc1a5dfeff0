package hsmpool

import (
	"testing"
	"time"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
	workerv1 "github.com/strongroom-kms/strongroom/proto/strongroom/worker/v1"
)

// TestALibraryThatAnswersAnything has worker after worker report codes that none has met
// before: sorts of calls stay few, and no call is lost.
func TestALibraryThatAnswersAnything(t *testing.T) {
	t.Parallel()
	var known tally
	const workers, codes = 20, 500
	for worker := range uint32(workers) {
		f := new(workerv1.Figures)
		for code := range uint32(codes) {
			f.Calls = append(f.Calls, &workerv1.CallCount{
				Function: "C_Encrypt", Mechanism: "CKM_AES_GCM", Rv: 0x80000000 + worker*codes + code, Count: 1, Nanos: 1,
			})
		}
		f.Calls = append(f.Calls, &workerv1.CallCount{Function: "C_Sign", Count: 1})
		known.learn(f, time.Now())
	}
	var all, failed, signed uint64
	figures := known.report()
	for _, c := range figures.Calls {
		all += c.Count
		switch {
		case c.Function == "C_Sign" && ckr.RV(c.RV) == ckr.OK:
			signed += c.Count
		case c.Function == "C_Encrypt" && ckr.RV(c.RV) != ckr.OK:
			failed += c.Count
		}
	}
	if len(figures.Calls) > 1100 || failed != workers*codes || signed != workers || all != failed+signed {
		t.Errorf("%d sorts have %d calls, of which %d have failed and %d are good", len(figures.Calls), all, failed, signed)
	}
}
