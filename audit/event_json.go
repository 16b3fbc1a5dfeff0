package audit

import (
	"unicode/utf8"
)

// Limits of an event, in bytes before JSON escaping, from "CloudTrail record
// contents" and "Quotas in AWS CloudTrail".
const (
	maxEvent        = 256 << 10
	maxParameters   = 100 << 10
	maxAdditional   = 28 << 10
	maxEventString  = 1 << 10
	maxResourceName = 2 << 10
	eventVersion    = "1.11"
	eventTimeLayout = "2006-01-02T15:04:05Z"
)

// AppendJSON appends the event as one line of JSON in CloudTrail's shape.
// Strings over their limit are cut at a character, and an object over its limit
// is replaced by one that says so: {"omitted":true,"originalSize":<bytes>}.
func (e *APIEvent) AppendJSON(dst []byte) []byte {
	start := len(dst)
	dst = e.appendJSON(dst, maxParameters)
	if len(dst)-start > maxEvent {
		dst = e.appendJSON(dst[:start], 0)
	}
	return dst
}

// appendJSON keeps the large objects up to limit bytes.
func (e *APIEvent) appendJSON(dst []byte, limit int) []byte {
	o := openObject(dst)
	o.str("eventVersion", eventVersion)
	o.name("userIdentity")
	o.b = e.UserIdentity.appendJSON(o.b)
	o.name("eventTime")
	o.b = append(o.b, '"')
	o.b = e.EventTime.UTC().AppendFormat(o.b, eventTimeLayout)
	o.b = append(o.b, '"')
	o.str("eventSource", cut(e.EventSource, maxEventString))
	o.str("eventName", cut(e.EventName, maxEventString))
	o.str("awsRegion", cut(e.AWSRegion, maxEventString))
	o.str("sourceIPAddress", cut(e.SourceIPAddress, maxEventString))
	o.optional("userAgent", cut(e.UserAgent, maxEventString))
	o.optional("errorCode", cut(e.ErrorCode, maxEventString))
	o.optional("errorMessage", cut(e.ErrorMessage, maxEventString))
	e.appendBodies(&o, limit)
	o.str("requestID", cut(e.RequestID, maxEventString))
	o.str("eventID", cut(e.EventID, maxEventString))
	o.boolean("readOnly", e.ReadOnly)
	e.appendResources(&o)
	e.appendClass(&o, limit)
	return o.close()
}

func (e *APIEvent) appendBodies(o *object, limit int) {
	o.nullable("requestParameters", e.RequestParameters, limit)
	o.nullable("responseElements", e.ResponseElements, limit)
	if e.AdditionalEventData != nil {
		o.nullable("additionalEventData", e.AdditionalEventData, maxAdditional)
	}
}

// nullable appends a JSON object that may be absent or too large.
func (o *object) nullable(name string, json []byte, limit int) {
	switch {
	case json == nil:
		o.raw(name, []byte("null"))
	case len(json) <= limit:
		o.raw(name, json)
	default:
		o.name(name)
		omitted := openObject(o.b)
		omitted.boolean("omitted", true)
		omitted.number("originalSize", uint64(len(json)))
		o.b = omitted.close()
	}
}

func (e *APIEvent) appendResources(o *object) {
	o.name("resources")
	o.b = append(o.b, '[')
	for i, r := range e.Resources {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		member := openObject(o.b)
		member.str("accountId", cut(r.AccountID, maxEventString))
		member.str("type", cut(r.Type, maxEventString))
		member.str("ARN", cut(r.ARN, maxResourceName))
		o.b = member.close()
	}
	o.b = append(o.b, ']')
}

// appendClass appends what kind of event it is, and the connection.
func (e *APIEvent) appendClass(o *object, limit int) {
	kind := e.EventType
	if kind == "" {
		kind = EventTypeAPICall
	}
	o.str("eventType", kind)
	o.optional("apiVersion", cut(e.APIVersion, maxEventString))
	o.boolean("managementEvent", true)
	o.str("recipientAccountId", cut(e.RecipientAccountID, maxEventString))
	if e.ServiceEventDetails != nil {
		o.nullable("serviceEventDetails", e.ServiceEventDetails, limit)
	}
	o.str("eventCategory", "Management")
	if e.TLSDetails != nil {
		o.name("tlsDetails")
		o.b = e.TLSDetails.appendJSON(o.b)
	}
}

func (u *UserIdentity) appendJSON(dst []byte) []byte {
	o := openObject(dst)
	kind := u.Type
	if kind == "" {
		kind = "Unknown"
	}
	o.str("type", cut(kind, maxEventString))
	o.optional("principalId", cut(u.PrincipalID, maxEventString))
	o.optional("arn", cut(u.ARN, maxResourceName))
	o.optional("accountId", cut(u.AccountID, maxEventString))
	o.optional("accessKeyId", cut(u.AccessKeyID, maxEventString))
	o.optional("userName", cut(u.UserName, maxEventString))
	o.optional("invokedBy", cut(u.InvokedBy, maxEventString))
	o.optional("credentialId", cut(u.CredentialID, maxEventString))
	return o.close()
}

func (d *TLSDetails) appendJSON(dst []byte) []byte {
	o := openObject(dst)
	o.optional("tlsVersion", cut(d.TLSVersion, maxEventString))
	o.optional("cipherSuite", cut(d.CipherSuite, maxEventString))
	o.optional("clientProvidedHostHeader", cut(d.ClientProvidedHostHeader, maxEventString))
	o.optional("keyExchange", cut(d.KeyExchange, maxEventString))
	return o.close()
}

// cut returns at most limit bytes of s, and no part of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
