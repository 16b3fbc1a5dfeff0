package keystore

import (
	"fmt"
	"iter"
	"strings"

	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// RaiseInvocations passes the metadata entries of a backup on, as they are to be
// restored beside a journal that has gone on for so many records since. Each may
// tell of one encryption under any backing key, so all counts of invocations are
// raised by so many, those of unused backing keys from zero. What is changed or
// added is at the revision after the header's, and comes in no order.
func RaiseInvocations(h archive.Header, entries iter.Seq2[metadata.Entry, error], records uint64) iter.Seq2[metadata.Entry, error] {
	return func(yield func(metadata.Entry, error) bool) {
		r := raiser{scope: scope{h.Account, h.Region}, by: records, revision: h.Revision + 1, counted: map[string]bool{}}
		for e, err := range entries {
			raised := []metadata.Entry{e}
			if err == nil {
				raised, err = r.raise(e)
			}
			if err != nil {
				yield(metadata.Entry{}, err)
				return
			}
			for _, e := range raised {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// raiser raises counts of invocations.
type raiser struct {
	scope        scope
	by, revision uint64
	counted      map[string]bool // the paths of counts that there are
}

// raise returns what becomes of an entry. The counts come before the keys in the
// order of their paths.
func (r *raiser) raise(e metadata.Entry) ([]metadata.Entry, error) {
	switch {
	case strings.HasPrefix(e.Key, r.scope.invocations("")):
		record := new(storagev1.InvocationRecord)
		if err := decodeValue(e.Value, record); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Key, err)
		}
		raised, err := r.count(e.Key, record.GetReserved())
		return []metadata.Entry{raised}, err
	case strings.HasPrefix(e.Key, r.scope.keyPrefix()):
		return r.unused(e)
	}
	return []metadata.Entry{e}, nil
}

// unused returns a key's entry and counts for the backing keys that have none.
func (r *raiser) unused(e metadata.Entry) ([]metadata.Entry, error) {
	record := new(storagev1.KeyRecord)
	if err := decodeValue(e.Value, record); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Key, err)
	}
	entries := []metadata.Entry{e}
	for _, b := range record.GetBackingKeys() {
		if len(b.GetId()) != len(hsmpool.ObjectID{}) {
			return nil, fmt.Errorf("%s: a backing key id has %d bytes", e.Key, len(b.GetId()))
		}
		path := r.scope.invocations(hsmpool.ObjectID(b.GetId()).String())
		if r.counted[path] {
			continue
		}
		count, err := r.count(path, 0)
		if err != nil {
			return nil, err
		}
		entries = append(entries, count)
	}
	return entries, nil
}

func (r *raiser) count(path string, reserved uint64) (metadata.Entry, error) {
	r.counted[path] = true
	value, err := encodeValue(&storagev1.InvocationRecord{Reserved: new(reserved + r.by)})
	if err != nil {
		return metadata.Entry{}, fmt.Errorf("%s: %w", path, err)
	}
	return metadata.Entry{Key: path, Value: value, Revision: r.revision}, nil
}
