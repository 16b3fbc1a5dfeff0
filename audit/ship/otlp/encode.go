package otlp

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/strongroom-kms/strongroom/audit"
)

// Names of the two kinds of log records.
const (
	EventName = "strongroom.audit.event"
	EntryName = "strongroom.audit.hsm_entry"
)

// encoder makes log records of the trails' records.
type encoder struct {
	journal   string
	clusterOf func(hsmID string) string
	resource  *resource.Resource
	scope     scope
	now       func() time.Time
}

func newEncoder(o Options) (encoder, error) {
	host, err := os.Hostname()
	if err != nil {
		return encoder{}, fmt.Errorf("asking for the host's name: %w", err)
	}
	e := encoder{journal: o.Journal.String(), clusterOf: o.ClusterOf, scope: newScope(o.Version), now: time.Now}
	if e.clusterOf == nil {
		e.clusterOf = func(string) string { return "" }
	}
	var a attributes
	a.text("service.name", "strongroom")
	a.text("service.instance.id", e.journal)
	a.text("service.version", o.Version)
	a.text("host.name", host)
	e.resource = &resource.Resource{Attributes: a}
	return e, nil
}

// request makes a request of records, all of the trails.
func (e *encoder) request(records []audit.Record) (*collector.ExportLogsServiceRequest, error) {
	scoped := &logs.ScopeLogs{Scope: e.scope, LogRecords: make([]*logs.LogRecord, len(records))}
	for i, r := range records {
		var err error
		if scoped.LogRecords[i], err = e.record(r); err != nil {
			return nil, fmt.Errorf("reading record %d: %w", r.Seq, err)
		}
	}
	return &collector.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource: e.resource, ScopeLogs: []*logs.ScopeLogs{scoped},
	}}}, nil
}

func (e *encoder) record(r audit.Record) (*logs.LogRecord, error) {
	l := &logs.LogRecord{
		TimeUnixNano: nanoseconds(r.Time), ObservedTimeUnixNano: nanoseconds(e.now()),
		SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_INFO, SeverityText: "INFO",
	}
	var a attributes
	a.text("log.record.uid", e.journal+"-"+strconv.FormatUint(r.Seq, 10))
	a.number("strongroom.sequence", r.Seq)
	var err error
	switch r.Kind {
	case audit.RecordEvent:
		err = e.event(l, &a, r.JSON)
	case audit.RecordHSMEntry:
		err = e.entry(l, &a, r.JSON)
	default:
		err = fmt.Errorf("it is of kind %d and no part of the trails", r.Kind)
	}
	l.Attributes = a
	return l, err
}

func nanoseconds(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) } //nolint:gosec // not negative

func warn(l *logs.LogRecord) {
	l.SeverityNumber, l.SeverityText = logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
}

// eventJSON is what attributes repeat of an API event.
type eventJSON struct {
	EventID, EventSource, EventName, AWSRegion, SourceIPAddress, UserAgent, ErrorCode string
	RequestID, RecipientAccountID                                                     string

	ReadOnly     bool
	UserIdentity struct{ ARN, UserName, AccessKeyID string }
	Resources    []struct{ ARN string }
}

func (e *encoder) event(l *logs.LogRecord, a *attributes, body []byte) error {
	var event eventJSON
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	l.EventName, l.Body = EventName, text(string(body))
	if event.ErrorCode != "" {
		warn(l)
	}
	a.text("cloud.provider", "aws")
	a.text("cloud.account.id", event.RecipientAccountID)
	a.text("cloud.region", event.AWSRegion)
	a.text("rpc.system", "aws-api")
	a.text("rpc.service", event.EventSource)
	a.text("rpc.method", event.EventName)
	a.text("aws.request_id", event.RequestID)
	a.text("error.type", event.ErrorCode)
	a.text("client.address", event.SourceIPAddress)
	a.text("user_agent.original", event.UserAgent)
	a.text("user.id", event.UserIdentity.ARN)
	a.text("user.name", event.UserIdentity.UserName)
	a.text("strongroom.access_key_id", event.UserIdentity.AccessKeyID)
	a.text("strongroom.event_id", event.EventID)
	a.boolean("strongroom.read_only", event.ReadOnly)
	a.texts("strongroom.resources", arns(event))
	return nil
}

func arns(event eventJSON) []string {
	var arns []string
	for _, r := range event.Resources {
		arns = append(arns, r.ARN)
	}
	return arns
}

func (e *encoder) entry(l *logs.LogRecord, a *attributes, body []byte) error {
	entry, err := audit.ParseHSMEntry(body)
	if err != nil {
		return err
	}
	l.EventName, l.Body, l.TimeUnixNano = EntryName, text(string(entry.AppendText(nil))), nanoseconds(entry.Time)
	if entry.RV != 0 || entry.NoReply {
		warn(l)
	}
	if cluster := e.clusterOf(entry.HSM); cluster != "" {
		a.texts("aws.log.group.names", []string{"/aws/cloudhsm/" + cluster})
	}
	a.texts("aws.log.stream.names", []string{entry.HSM})
	a.text("aws.request_id", entry.RequestID)
	a.text("user.name", entry.UserName)
	a.text("strongroom.hsm.id", entry.HSM)
	a.number("strongroom.hsm.sequence_no", entry.SequenceNo)
	a.number("strongroom.hsm.reboot_counter", uint64(entry.RebootCounter))
	a.text("strongroom.hsm.opcode", entry.Opcode.String())
	a.text("strongroom.hsm.function", entry.Function)
	a.number("strongroom.hsm.return_value", entry.RV)
	a.boolean("strongroom.hsm.no_reply", entry.NoReply)
	a.text("strongroom.hsm.key_label", entry.KeyLabel)
	a.text("strongroom.hsm.key_id", entry.KeyID)
	a.text("strongroom.hsm.json", string(body))
	return nil
}
