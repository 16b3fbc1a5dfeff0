package console

import (
	"encoding/json"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// entryList is a page of entries of the HSMs' logs, the newest first.
type entryList struct {
	Rows    []entryRow
	Next    string // where the older ones begin; empty: there are none
	Failure *failure
}

// entryRow is what a list shows of an entry.
type entryRow struct {
	Sequence  uint64 `json:"sequence"`
	Time      string `json:"time"`
	Shown     string `json:"shown"`
	HSM       string `json:"hsm"`
	Opcode    string `json:"opcode"`
	Function  string `json:"function"`
	Failed    bool   `json:"failed"`
	Response  string `json:"response"`
	Key       string `json:"key"` // its label, or its id
	RequestID string `json:"requestID"`
	Text      string `json:"-"`
	JSON      string `json:"-"`
}

func entryRowOf(e *operatorv1.StreamHsmLogResponse) entryRow {
	var r struct {
		Time, Opcode, Function, ReturnCode, KeyLabel, KeyID, RequestID string

		RV uint64
	}
	_ = json.Unmarshal([]byte(e.GetEntryJson()), &r) // its own server's; what cannot be read is empty
	row := entryRow{
		Sequence: e.GetSequence(), Time: r.Time, Shown: shownTime(r.Time), HSM: e.GetHsmId(), Opcode: r.Opcode, Function: r.Function, Failed: r.RV != 0,
		Response: r.ReturnCode, Key: r.KeyLabel, RequestID: r.RequestID, Text: e.GetText(), JSON: e.GetEntryJson(),
	}
	if row.Key == "" {
		row.Key = r.KeyID
	}
	return row
}

// searchEntries asks for a page of entries, from a token on.
func (v *visit) searchEntries(s *operatorv1.HsmLogSelector, token string, limit int32) entryList {
	request := &operatorv1.SearchHsmLogRequest{Selector: s, NewestFirst: new(true), MaxResults: &limit}
	if token != "" {
		request.NextToken = &token
	}
	found := load[operatorv1.SearchHsmLogResponse](v, operatorv1.OperatorService_SearchHsmLog_FullMethodName, request)
	l := entryList{Next: found.Value.GetNextToken(), Failure: found.Failure}
	for _, e := range found.Value.GetEntries() {
		l.Rows = append(l.Rows, entryRowOf(e))
	}
	return l
}

// hsmLogPage is a search of the HSMs' logs.
type hsmLogPage struct {
	Form   trailForm
	List   entryList
	Older  string // the page's address; empty: there are none
	Follow string // the stream's address
}

func (v *visit) entryForm() trailForm {
	return v.form(`entry.rv == 160`,
		field{Name: "hsm", Label: "HSM", Example: "hsm-…"},
		field{Name: "opcode", Label: "Opcode", Example: "CN_LOGIN"},
		field{Name: "key", Label: "Key, ARN, id or CKA_ID"},
		field{Name: "request", Label: "Request id"},
	)
}

func (f trailForm) entrySelector() *operatorv1.HsmLogSelector {
	return &operatorv1.HsmLogSelector{
		StartTime: f.from(), EndTime: f.to(), HsmId: f.text("hsm"), Opcode: f.text("opcode"), Key: f.text("key"),
		RequestId: f.text("request"), Failed: f.failed(), Filter: f.filter(),
	}
}

func hsmLog(v *visit) view {
	p := hsmLogPage{Form: v.entryForm()}
	p.Follow = p.Form.address("/streams/hsm-log")
	if p.Form.Wrong == "" {
		p.List = v.searchEntries(p.Form.entrySelector(), v.query("token"), recordsOfAPage)
	}
	if p.List.Next != "" {
		p.Older = p.Form.address("/hsm-log", "token", p.List.Next)
	}
	return view{File: "hsmlog.html", Title: "HSM log", Section: "/hsm-log", Following: true, Status: p.List.Failure.status(), Body: p}
}
