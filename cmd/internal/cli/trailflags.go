package cli

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

// instant is a point of time that the user names: when, or how long ago.
type instant struct{ time.Time }

// UnmarshalText is part of encoding.TextUnmarshaler.
func (m *instant) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is no time: want one like 2026-03-02T10:15:30Z or, for how long ago, like 90m or 48h", text)
	}
	m.Time = at
	return nil
}

// timeRange is the flags of both trails for when.
type timeRange struct {
	Since instant `placeholder:"TIME" help:"Only from this time on: 2026-03-02T10:15:30Z, or how long ago: 90m, 48h."`
	Until instant `placeholder:"TIME" help:"Only before this time."`
}

func (r timeRange) bounds() (from, to *timestamppb.Timestamp) {
	return r.Since.stamp(), r.Until.stamp()
}

// stamp returns the time, or nil if none was given.
func (m instant) stamp() *timestamppb.Timestamp {
	if m.IsZero() {
		return nil
	}
	return timestamppb.New(m.Time)
}

// eventSelection is the flags that say which events.
type eventSelection struct {
	timeRange
	Name      *string `placeholder:"EVENT" help:"Only of this operation, such as Decrypt."`
	Key       *string `placeholder:"KEY" help:"Only about this key, by its id or ARN, or this alias, by its ARN."`
	Principal *string `placeholder:"WHO" help:"Only of this caller, by its ARN or user name."`
	RequestID *string `name:"request-id" placeholder:"ID" help:"Only of this request."`
	EventID   *string `name:"event-id" placeholder:"ID" help:"Only the event with this eventID."`
	ErrorCode *string `placeholder:"ERROR" help:"Only with this error, such as AccessDeniedException."`
	Failed    *bool   `negatable:"" help:"Only what failed, or did not."`
	ReadOnly  *bool   `negatable:"" help:"Only what changes nothing, or does."`
	Source    *string `placeholder:"SOURCE" help:"Only of this service, such as kms.amazonaws.com."`
	AccessKey *string `placeholder:"ID" help:"Only signed with this access key."`
	Filter    *string `placeholder:"CEL" help:"Only if this condition in CEL on event is true."`
}

// selector returns what is selected; nil if that is everything.
func (s eventSelection) selector() *operatorv1.EventSelector {
	if s == (eventSelection{}) {
		return nil
	}
	from, to := s.bounds()
	return &operatorv1.EventSelector{
		StartTime: from, EndTime: to, EventName: s.Name, Resource: s.Key, Principal: s.Principal, RequestId: s.RequestID, EventId: s.EventID,
		ErrorCode: s.ErrorCode, Failed: s.Failed, ReadOnly: s.ReadOnly, EventSource: s.Source, AccessKeyId: s.AccessKey, Filter: s.Filter,
	}
}

// entrySelection is the flags that say which HSM entries.
type entrySelection struct {
	timeRange
	HSM       *string `name:"hsm" placeholder:"HSM-ID" help:"Only the log of this HSM."`
	Opcode    *string `placeholder:"OPCODE" help:"Only of this opcode, such as CN_LOGIN."`
	Key       *string `placeholder:"KEY" help:"Only about this key, by its id or ARN, or by its CKA_ID in hexadecimal."`
	RequestID *string `name:"request-id" placeholder:"ID" help:"Only what this request has caused."`
	Failed    *bool   `negatable:"" help:"Only what failed, or did not."`
	Filter    *string `placeholder:"CEL" help:"Only if this condition in CEL on entry is true."`
}

// selector returns what is selected beside the HSM; nil if that is everything.
func (s entrySelection) selector() *operatorv1.HsmLogSelector {
	s.HSM = nil
	if s == (entrySelection{}) {
		return nil
	}
	from, to := s.bounds()
	return &operatorv1.HsmLogSelector{StartTime: from, EndTime: to, Opcode: s.Opcode, Key: s.Key, RequestId: s.RequestID, Failed: s.Failed, Filter: s.Filter}
}

// withHSMLog is the flag that shows what a request did to HSMs.
type withHSMLog struct {
	WithHSMLog bool `name:"with-hsm-log" help:"Also the HSM audit entries of the request; with --request-id."`
}

func (w withHSMLog) check(s eventSelection) error {
	if w.WithHSMLog && s.RequestID == nil {
		return usagef("--with-hsm-log needs --request-id")
	}
	return nil
}
