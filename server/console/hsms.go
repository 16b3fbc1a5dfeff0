package console

import (
	"cmp"
	"net/http"
	"slices"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// describedHSM is an HSM, and what there is to do about it.
type describedHSM struct {
	*operatorv1.HsmDescription

	Advice advice
}

// hsmsPage is a list of all HSMs.
type hsmsPage struct {
	HSMs    []describedHSM
	Failure *failure
}

func hsms(v *visit) view {
	found := v.describeHSMs()
	p := hsmsPage{Failure: found.Failure}
	for _, h := range found.Value.GetHsms() {
		p.HSMs = append(p.HSMs, describedHSM{h, adviceOnHSM(h)})
	}
	return view{File: "hsms.html", Title: "HSMs", Section: "/hsms", Stream: "/streams/metrics", Status: p.Failure.status(), Body: p}
}

// hsmPage is one HSM.
type hsmPage struct {
	// HSM is nil if there is no such one.
	HSM     *describedHSM
	Failure *failure
	Figures part[figures]
	Metrics []cloudHSMMetric
	Plots   []plot
	// Calls are those since the start of the server, the most frequent first.
	Calls []Call
	// Errors are the results of those that failed, with their number.
	Errors []Call
	Log    entryList
}

// entriesOfAnHSM is how many entries of its log the page of an HSM has.
const entriesOfAnHSM = 10

func hsm(v *visit) view {
	id := v.r.PathValue("id")
	p := hsmPage{Metrics: cloudHSMMetrics(), Plots: cloudHSMPlots(id)}
	shown := view{File: "hsm.html", Title: id, Section: "/hsms", Stream: address("/streams/metrics", "hsm", id)}
	found := v.describeHSMs()
	p.Failure = found.Failure
	for _, h := range found.Value.GetHsms() {
		if h.GetHsmId() == id {
			p.HSM = &describedHSM{h, adviceOnHSM(h)}
		}
	}
	if p.HSM == nil {
		shown.Stream, shown.Body = "", p
		shown.Status = cmp.Or(p.Failure, &failure{}).status()
		if p.Failure == nil {
			shown.Status = http.StatusNotFound
		}
		return shown
	}
	p.Calls = sortedCalls(v.calls(id))
	p.Errors = failedCalls(p.Calls)
	v.together(
		func() { p.Figures = v.newest() },
		func() {
			p.Log = v.searchEntries(&operatorv1.HsmLogSelector{HsmId: &id}, "", entriesOfAnHSM)
		},
	)
	shown.Body = p
	return shown
}

// sortedCalls are calls, the most frequent first.
func sortedCalls(calls []Call) []Call {
	slices.SortStableFunc(calls, func(a, b Call) int { return cmp.Compare(b.Count, a.Count) })
	return calls
}

// succeeded is the result of a call that did what was asked.
const succeeded = "CKR_OK"

// failedCalls adds calls up by their result, but for those that succeeded.
func failedCalls(calls []Call) []Call {
	var all []Call
	for _, c := range calls {
		if c.Result == succeeded {
			continue
		}
		i := slices.IndexFunc(all, func(known Call) bool { return known.Result == c.Result })
		if i < 0 {
			all = append(all, Call{Result: c.Result})
			i = len(all) - 1
		}
		all[i].Count += c.Count
	}
	return sortedCalls(all)
}
