package index

import (
	"bytes"
	"strconv"
	"time"
)

// Kind is what a record is: the journal's number for it.
type Kind byte

// The kinds of records that are found.
const (
	Event Kind = 2
	Entry Kind = 4
)

// Read shows the terms of a record to take, and returns its time: an event's
// eventTime, an HSM entry's time; zero if it has none. Values that are empty or absent
// make no term. A value is only valid during the call.
func Read(kind Kind, record []byte, take func(f Field, value []byte)) time.Time {
	switch kind {
	case Event:
		return readEvent(record, take)
	case Entry:
		return readEntry(record, take)
	}
	return time.Time{}
}

func readEvent(record []byte, take func(Field, []byte)) (at time.Time) {
	failed := false
	members(record, func(name, value []byte) {
		switch string(name) {
		case "eventTime":
			at = readTime(value)
		case "userIdentity":
			readIdentity(value, take)
		case "resources":
			elements(value, func(b []byte) { readResource(b, take) })
		case "readOnly":
			take(ReadOnly, value)
		case "errorCode":
			failed = len(text(value)) > 0
			give(take, ErrorCode, value)
		default:
			if f := eventField(name); f != 0 {
				give(take, f, value)
			}
		}
	})
	take(Failed, strconv.AppendBool(nil, failed))
	return at
}

// eventField returns the field of a member that is a string, or 0.
func eventField(name []byte) Field {
	switch string(name) {
	case "eventName":
		return EventName
	case "eventSource":
		return EventSource
	case "eventID":
		return EventID
	case "requestID":
		return RequestID
	case "awsRegion":
		return Region
	}
	return 0
}

func readIdentity(value []byte, take func(Field, []byte)) {
	members(value, func(name, value []byte) {
		switch string(name) {
		case "arn":
			give(take, Principal, value)
		case "userName":
			give(take, Principal, value)
			give(take, UserName, value)
		case "accessKeyId":
			give(take, AccessKeyID, value)
		}
	})
}

func readResource(value []byte, take func(Field, []byte)) {
	members(value, func(name, value []byte) {
		switch string(name) {
		case "ARN":
			giveKey(take, Resource, value)
		case "type":
			give(take, ResourceType, value)
		}
	})
}

func readEntry(record []byte, take func(Field, []byte)) (at time.Time) {
	failed := false
	members(record, func(name, value []byte) {
		switch string(name) {
		case "time":
			at = readTime(value)
		case "rv":
			failed = failed || string(value) != "0"
		case "noReply":
			failed = failed || string(value) == "true"
		case "keyLabel":
			giveKey(take, Key, value)
		default:
			if f := entryField(name); f != 0 {
				give(take, f, value)
			}
		}
	})
	take(Failed, strconv.AppendBool(nil, failed))
	return at
}

// entryField returns the field of a member that is a string, or 0.
func entryField(name []byte) Field {
	switch string(name) {
	case "hsm":
		return HSM
	case "opcode":
		return Opcode
	case "keyID":
		return Key
	case "requestID":
		return RequestID
	case "userName":
		return UserName
	}
	return 0
}

// give makes a term of a string that is not empty.
func give(take func(Field, []byte), f Field, value []byte) {
	if s := text(value); len(s) > 0 {
		take(f, s)
	}
}

// giveKey makes a term of a name, and of the key's id if it is a key's ARN.
func giveKey(take func(Field, []byte), f Field, value []byte) {
	give(take, f, value)
	if s := text(value); bytes.HasPrefix(s, []byte("arn:")) {
		if _, id, ok := bytes.Cut(s, []byte(":key/")); ok && len(id) > 0 {
			take(f, id)
		}
	}
}

func readTime(value []byte) time.Time {
	at, err := time.Parse(time.RFC3339Nano, string(text(value)))
	if err != nil {
		return time.Time{} // no time, as if it were absent
	}
	return at.UTC()
}
