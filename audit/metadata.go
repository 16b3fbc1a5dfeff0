package audit

import (
	"fmt"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// metadataMark is the body of a record that says at which revision the key
// metadata is, at least. It stands behind the event of each change.
type metadataMark struct {
	MetadataRevision uint64 `json:"metadataRevision"`
	// Accepted says that an operator lets the metadata go on from an earlier
	// revision than was known.
	Accepted bool `json:"accepted,omitempty"`
}

// entries are an event's records: the event and, if it tells of a change of the
// metadata, the mark.
func (e *APIEvent) entries(body []byte) []journal.Entry {
	entries := []journal.Entry{{Kind: kindEvent, Body: body}}
	if e.MetadataRevision == 0 && !e.MetadataAccepted {
		return entries
	}
	o := openObject(nil)
	o.number("metadataRevision", e.MetadataRevision)
	if e.MetadataAccepted {
		o.boolean("accepted", true)
	}
	return append(entries, journal.Entry{Kind: kindMetadata, Body: o.close()})
}

// MetadataRevision is the highest revision of the key metadata that an event
// has told of: metadata at an earlier one has lost changes that were answered.
func (t *Trail) MetadataRevision() uint64 { return t.state.snapshot().MetadataRevision }

// mark takes in what is known of the metadata.
func (s *state) mark(body []byte) error {
	m, err := decode[metadataMark](body)
	if err != nil {
		return fmt.Errorf("metadata mark: %w", err)
	}
	if m.Accepted || m.MetadataRevision > s.at.MetadataRevision {
		s.at.MetadataRevision = m.MetadataRevision
	}
	return nil
}
