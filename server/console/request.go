package console

import (
	"net/http"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// requestPage is one request: its event, and the entries that it caused in the HSMs' logs.
type requestPage struct {
	ID      string
	Events  eventList
	Entries entryList
}

// recordsOfARequest is how many of each sort a page has. A request has one event, and few
// entries; a client may give the same id to several.
const recordsOfARequest = 100

func request(v *visit) view {
	p := requestPage{ID: v.r.PathValue("id")}
	v.together(
		func() {
			p.Events = v.searchEvents(&operatorv1.EventSelector{RequestId: &p.ID}, "", recordsOfARequest)
		},
		func() {
			p.Entries = v.searchEntries(&operatorv1.HsmLogSelector{RequestId: &p.ID}, "", recordsOfARequest)
		},
	)
	shown := view{File: "request.html", Title: "Request " + p.ID, Section: "/events", Status: p.Events.Failure.status(), Body: p}
	if p.Events.Failure == nil && p.Entries.Failure == nil && len(p.Events.Rows)+len(p.Entries.Rows) == 0 {
		shown.Status = http.StatusNotFound
	}
	return shown
}
