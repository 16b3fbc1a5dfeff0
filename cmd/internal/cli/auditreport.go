package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/cmd/internal/present"
	"github.com/strongroom-kms/strongroom/internal/auditcheck"
)

// verification is what was found, to be printed.
type verification struct {
	auditcheck.Result
	options auditcheck.Options
	keys    keySource
}

func (v *verification) print(w io.Writer) error {
	fields := v.journalFields()
	fields = append(fields, v.exportFields()...)
	for _, text := range v.unchecked() {
		fields = append(fields, present.Field{Name: "Not checked", Value: text})
	}
	for _, f := range v.firstFaults() {
		fields = append(fields, present.Field{Name: "Bad", Value: f.Error()}, present.Field{Name: "Conclude", Value: f.Meaning})
	}
	return present.Fields(w, fields)
}

// firstFaults is the first fault of each kind.
func (v *verification) firstFaults() (first []auditcheck.Fault) {
	seen := map[string]bool{}
	for _, f := range v.Faults {
		if !seen[f.Meaning] {
			first = append(first, f)
		}
		seen[f.Meaning] = true
	}
	return first
}

func (v *verification) journalFields() []present.Field {
	r := v.Journal
	if r == nil {
		return nil
	}
	fields := []present.Field{
		{Name: "Journal", Value: fmt.Sprint(r.Journal)},
		{Name: "Records", Value: fmt.Sprintf("%d good, in %s", r.Records, present.Count(r.Segments, "segment", "segments"))},
		{Name: "Of these", Value: recordKinds(*r)},
		{Name: "Head", Value: fmt.Sprint(auditcheck.Head{Journal: r.Journal, Seq: max(r.Removed, r.Last), Hash: r.Head})},
	}
	if r.Records > 0 {
		fields = append(fields,
			present.Field{Name: "First", Value: fmt.Sprintf("number %d, %s", r.First, r.FirstTime.Format(time.RFC3339Nano))},
			present.Field{Name: "Last", Value: fmt.Sprintf("number %d, %s", r.Last, r.LastTime.Format(time.RFC3339Nano))})
	}
	if r.PinsChecked > 0 {
		fields = append(fields, present.Field{Name: "Confirmed",
			Value: present.Count(r.PinsChecked, "point of its chain", "points of its chain") + ", by digests or heads"})
	}
	if r.Torn != nil {
		fields = append(fields, present.Field{Name: "Unfinished",
			Value: fmt.Sprintf("%d bytes after the last record, in segment %d: a write in progress, or one cut off by a crash", r.Torn.Bytes, r.Torn.Segment)})
	}
	return fields
}

// recordKinds counts the records of a journal by their kinds.
func recordKinds(r audit.Report) string {
	return strings.Join([]string{
		present.Count(r.Events, "API event", "API events"),
		present.Count(r.Intents, "intent", "intents"),
		present.Count(r.HSMEntries, "HSM entry", "HSM entries"),
	}, ", ")
}

func (v *verification) exportFields() (fields []present.Field) {
	if v.Export == nil {
		return nil
	}
	for _, c := range v.Export.Chains {
		text := "none good"
		if newest := c.Newest(); newest != nil {
			text = fmt.Sprintf("%d good, up to record %d, %s", len(c.Digests), newest.Journal.Last, newest.End.Format(time.RFC3339))
		}
		fields = append(fields, present.Field{Name: "Digests", Value: c.Region + ": " + text})
	}
	fields = append(fields, present.Field{Name: "Log files", Value: fmt.Sprintf("%d good", v.Export.LogFiles)})
	if v.Compared != nil {
		fields = append(fields, present.Field{Name: "Compared", Value: fmt.Sprintf("%d events and HSM entries of the journal are those in log files", v.Compared.Equal)})
	}
	return fields
}

// unchecked says what nothing vouches for.
func (v *verification) unchecked() (texts []string) {
	say := func(unless bool, format string, args ...any) {
		if !unless {
			texts = append(texts, fmt.Sprintf(format, args...))
		}
	}
	exported := v.Export != nil
	say(v.Journal != nil, "the journal: it is not here")
	say(exported, "signatures: there are no digests here, or no keys for them. Whoever can write the journal can have made all of it anew, unless a head is given that was kept elsewhere")
	say(!exported || v.keys == givenKeys, "signatures, as far as they matter: without --public-key they were compared with keys that lie beside the digests. Whoever can write the files can have signed them anew")
	say(len(v.options.Heads)+len(v.options.Signed) > 0, "whether the newest records or digests are missing: no head was given")
	if v.Journal != nil {
		say(v.Journal.Removed == 0, "records 1 to %d: retention has removed them from the journal", v.Journal.Removed)
		say(v.Journal.PinsBefore == 0, "%d digests or heads of removed records, against the journal", v.Journal.PinsBefore)
	}
	if exported {
		say(len(v.Export.Unnamed) == 0, "%d files that no digest names, or not yet: %s", len(v.Export.Unnamed), first(v.Export.Unnamed))
	}
	if v.Compared != nil {
		say(v.Compared.Later == 0, "%d events and HSM entries that no digest covers yet", v.Compared.Later)
		say(v.Compared.Earlier == 0, "%d events and HSM entries that are older than the digests", v.Compared.Earlier)
	}
	return texts
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}
