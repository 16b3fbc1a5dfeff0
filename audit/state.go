package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/proto/jsonenc"
)

// Kinds of journal records. The values are on disk.
const (
	kindCheckpoint byte = 1
	kindEvent      byte = 2
	kindIntent     byte = 3
	kindHSMEntry   byte = 4
	kindBoot       byte = 5
	kindMetadata   byte = 6
	kindTrim       byte = 7
)

// hsmState is where the log of an HSM stands.
type hsmState struct {
	// NextSequenceNo is the next entry's.
	NextSequenceNo uint64 `json:"nextSequenceNo"`
	// RebootCounter counts the worker's starts; the first one is 1.
	RebootCounter uint32 `json:"rebootCounter"`
}

// checkpoint is the body of a checkpoint record: the whole state.
type checkpoint struct {
	HSMs    map[string]hsmState `json:"hsms"`
	Intents []Intent            `json:"intents"`
	// MetadataRevision is what the newest metadata mark says.
	MetadataRevision uint64 `json:"metadataRevision,omitempty"`
	// Trimmed is what the newest trim mark says; nil if there was none.
	Trimmed *trimMark `json:"trimmed,omitempty"`
}

// boot is the body of a record that says that an HSM's worker was started.
type boot struct {
	HSM           string `json:"hsm"`
	RebootCounter uint32 `json:"rebootCounter"`
}

func (b boot) appendJSON(dst []byte) []byte {
	o := openObject(dst)
	o.str("hsm", b.HSM)
	o.number("rebootCounter", uint64(b.RebootCounter))
	return o.close()
}

// state is what must be known to go on writing the trails: a fold over the
// journal's records. It is a journal.State.
type state struct {
	mu sync.Mutex
	at checkpoint
	// pending counts the intents that are on their way to the journal, and may yet
	// become part of a checkpoint.
	pending int
}

func newState() *state { return &state{at: checkpoint{HSMs: make(map[string]hsmState)}} }

// Observe implements journal.State.
func (s *state) Observe(r journal.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Kind {
	case kindCheckpoint:
		return s.restore(r.Body)
	case kindEvent:
		s.settle(r.Body)
		return nil
	case kindIntent:
		return s.open(r.Body)
	case kindHSMEntry:
		return s.number(r.Body)
	case kindBoot:
		return s.boot(r.Body)
	case kindMetadata:
		return s.mark(r.Body)
	case kindTrim:
		return s.trim(r.Body)
	}
	return fmt.Errorf("unknown kind %d", r.Kind)
}

func (s *state) restore(body []byte) error {
	at, err := decode[checkpoint](body)
	if err != nil {
		return err
	}
	if at.HSMs == nil {
		at.HSMs = make(map[string]hsmState)
	}
	s.at = at
	return nil
}

// settle drops the intents of the request that the event tells of. Most
// events have none, and are not parsed. One that cannot be parsed settles none;
// that it is bad is for Verify to say.
func (s *state) settle(event []byte) {
	for _, in := range s.at.Intents {
		member := jsonenc.AppendString([]byte(`"requestID":`), in.RequestID)
		if !bytes.Contains(event, member) {
			continue
		}
		e, err := decode[struct{ RequestID string }](event)
		if err == nil {
			s.at.Intents = slices.DeleteFunc(s.at.Intents, func(in Intent) bool { return in.RequestID == e.RequestID })
		}
		return
	}
}

func (s *state) open(body []byte) error {
	in, err := decode[Intent](body)
	if err == nil {
		s.at.Intents = append(s.at.Intents, in)
		s.pending = max(s.pending-1, 0) // none is pending when Open reads it
	}
	return err
}

// reserve takes a place among the open intents for one that is to be written.
// If it is not, release gives the place back.
func (s *state) reserve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.noPlace(); err != nil {
		return err
	}
	s.pending++
	return nil
}

// full is why no more intents can be written, or nil.
func (s *state) full() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noPlace()
}

func (s *state) noPlace() error {
	if n := len(s.at.Intents) + s.pending; n >= maxOpenIntents {
		return fmt.Errorf("%w: %d changes are under way or were cut off", journal.ErrUnavailable, n)
	}
	return nil
}

func (s *state) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending--
}

// number takes in an HSM entry, which must be the next one of its HSM.
func (s *state) number(body []byte) error {
	e, err := ParseHSMEntry(body)
	if err != nil {
		return err
	}
	h := s.at.HSMs[e.HSM]
	if e.SequenceNo != h.NextSequenceNo {
		return fmt.Errorf("entry of %s has sequence number %#x, want %#x", e.HSM, e.SequenceNo, h.NextSequenceNo)
	}
	if e.RebootCounter != h.RebootCounter {
		return fmt.Errorf("entry of %s has reboot counter %#x, want %#x", e.HSM, e.RebootCounter, h.RebootCounter)
	}
	h.NextSequenceNo++
	s.at.HSMs[e.HSM] = h
	return nil
}

func (s *state) boot(body []byte) error {
	b, err := decode[boot](body)
	if err != nil {
		return err
	}
	h := s.at.HSMs[b.HSM]
	if b.HSM == "" || b.RebootCounter != h.RebootCounter+1 {
		return fmt.Errorf("reboot counter of %q goes from %#x to %#x", b.HSM, h.RebootCounter, b.RebootCounter)
	}
	h.RebootCounter = b.RebootCounter
	s.at.HSMs[b.HSM] = h
	return nil
}

// Checkpoint implements journal.State.
func (s *state) Checkpoint() ([]journal.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := json.Marshal(s.at)
	if err != nil {
		return nil, fmt.Errorf("encoding an audit checkpoint: %w", err)
	}
	return []journal.Entry{{Kind: kindCheckpoint, Body: body}}, nil
}

// snapshot returns a copy of the state.
func (s *state) snapshot() checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := checkpoint{HSMs: make(map[string]hsmState), Intents: slices.Clone(s.at.Intents), MetadataRevision: s.at.MetadataRevision, Trimmed: s.at.Trimmed}
	for id, h := range s.at.HSMs {
		at.HSMs[id] = h
	}
	return at
}

func decode[T any](body []byte) (v T, err error) {
	if err := json.Unmarshal(body, &v); err != nil {
		return v, err
	}
	if len(body) == 0 || body[0] != '{' {
		return v, errors.New("not a JSON object")
	}
	return v, nil
}
