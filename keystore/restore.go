package keystore

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/strongroom-kms/strongroom/audit"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// deletionGrace is how long after a restore no key falls due: a deletion that was
// cancelled after the backup is scheduled again in it, and has to be cancelled anew.
const deletionGrace = minPendingWindow * 24 * time.Hour

// farBeyond is a count of invocations far beyond any limit. Twice as many are no
// overflow.
const farBeyond = 1 << 62

// Restoration makes the metadata entries of a backup those of a restored store. It
// is for one restore.
type Restoration struct {
	// Now is when the restore takes place.
	Now time.Time
	// Records is how many records the journal beside the metadata has that the
	// backup has not. Each may tell of one encryption under any backing key, so all
	// counts of invocations are raised by so many, those of unused backing keys from
	// zero.
	Records uint64
	// Known is the revision of the metadata that this journal tells of. A store
	// below it would not be started on.
	Known uint64
	// Changes are those that this journal tells of after the backup. A deletion that
	// one of them cancelled, or may have, stays cancelled, and the key disabled. A
	// principal or access key that one of them deleted, or may have, stays deleted.
	Changes []audit.Change
	// Deletions are the keys that are to be deleted, once all entries were passed on.
	Deletions []Deletion
}

// Deletion is a key that is to be deleted.
type Deletion struct {
	// KeyARN names the key.
	KeyARN string
	// Date is when: not before a week after the restore, unless the deletion had
	// begun already, after which it cannot be cancelled.
	Date  time.Time
	Begun bool
}

// Revision is that of a store with the entries of a backup.
func (r *Restoration) Revision(h archive.Header) uint64 { return max(h.Revision, r.Known) + 1 }

// Entries passes the entries of a backup on, as they are to be restored. What is
// changed or added is at the Revision, and comes in no order.
func (r *Restoration) Entries(h archive.Header, entries iter.Seq2[metadata.Entry, error]) iter.Seq2[metadata.Entry, error] {
	return func(yield func(metadata.Entry, error) bool) {
		s := restorer{Restoration: r, revision: r.Revision(h), counted: map[string]bool{}}
		for e, err := range entries {
			restored := []metadata.Entry{e}
			if err == nil {
				if restored, err = s.restore(e); err != nil {
					err = fmt.Errorf("restoring %s: %w", e.Key, err)
				}
			}
			if err != nil {
				yield(metadata.Entry{}, err)
				return
			}
			for _, e := range restored {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// restorer restores the entries of one backup.
type restorer struct {
	*Restoration
	revision uint64
	counted  map[string]bool // the paths of counts that there are
}

// restore returns what becomes of an entry. The counts of a Region come before its
// keys in the order of their paths.
func (r *restorer) restore(e metadata.Entry) ([]metadata.Entry, error) {
	of := scopeOf(e.Key)
	switch {
	case r.deleted(e.Key):
		return nil, nil
	case strings.HasPrefix(e.Key, of.invocations("")) && r.Records > 0:
		record := new(storagev1.InvocationRecord)
		if err := decodeValue(e.Value, record); err != nil {
			return nil, err
		}
		raised, err := r.count(e.Key, record.GetReserved())
		return []metadata.Entry{raised}, err
	case strings.HasPrefix(e.Key, of.loginPrefix()):
		login, err := r.login(e)
		return []metadata.Entry{login}, err
	case strings.HasPrefix(e.Key, of.keyPrefix()):
		record := new(storagev1.KeyRecord)
		if err := decodeValue(e.Value, record); err != nil {
			return nil, err
		}
		key, err := r.key(e, record)
		if err != nil {
			return nil, err
		}
		counts, err := r.unused(of, record)
		return append([]metadata.Entry{key}, counts...), err
	}
	return []metadata.Entry{e}, nil
}

// login returns the entry of the logins to a token. Those after the backup are not known, so
// one is said to be open: unless the token itself says that no wrong PIN was given since the
// last login, none is tried before an operator has looked. A token whose first login came
// after the backup has no entry, and a PIN that it has refused is tried once more.
func (r *restorer) login(e metadata.Entry) (metadata.Entry, error) {
	record := new(storagev1.LoginRecord)
	if err := decodeValue(e.Value, record); err != nil {
		return e, err
	}
	record.OpenAttempts = new(max(1, record.GetOpenAttempts()))
	value, err := encodeValue(record)
	return metadata.Entry{Key: e.Key, Value: value, Revision: r.revision}, err
}

// key returns a key's entry. One that is to be deleted is given time, so that the
// first start does not delete what an operator would have kept.
func (r *restorer) key(e metadata.Entry, record *storagev1.KeyRecord) (metadata.Entry, error) {
	if record.GetState() != pendingDeletion {
		return e, nil
	}
	if record.DeletionDate == nil {
		return e, errors.New("the key is to be deleted at no date")
	}
	due := record.GetDeletionDate().AsTime()
	cancelled, begun := r.cancelled(record.GetArn()), record.DeletionStarted != nil
	switch earliest := r.Now.Add(deletionGrace); {
	case begun: // a part of its material may be gone
	case cancelled != "":
		record.State, record.DeletionDate, record.PendingWindowInDays = disabled.Enum(), nil, nil
		record.ChangedBy = &cancelled
	case due.Before(earliest):
		due = earliest
		record.DeletionDate = timestamppb.New(due)
	}
	if record.GetState() == pendingDeletion {
		r.Deletions = append(r.Deletions, Deletion{KeyARN: record.GetArn(), Date: due, Begun: begun})
	}
	value, err := encodeValue(record)
	return metadata.Entry{Key: e.Key, Value: value, Revision: r.revision}, err
}

// cancelled returns the request that cancelled a key's deletion, or may have: an
// allowed one that was answered with an error. It is empty if there is none.
func (r *restorer) cancelled(arn string) (request string) {
	for _, c := range r.Changes {
		if c.EventName == "CancelKeyDeletion" && c.KeyARN == arn {
			request = c.RequestID
		}
	}
	return request
}

// deleted says whether an entry is that of a principal or an access key that was
// deleted since: who has lost its rights must not get them back.
func (r *restorer) deleted(path string) (is bool) {
	of := scopeOf(path)
	arn, deletable := strings.CutPrefix(path, of.principalPath(""))
	if id, is := strings.CutPrefix(path, of.accessKeyPath("")); is {
		arn, deletable = of.accessKeyARN(id), true
	}
	for _, c := range r.Changes {
		if deletable && c.ResourceARN == arn {
			is = c.EventName == "DeletePrincipal" || c.EventName == "DeleteAccessKey"
		}
	}
	return is
}

// unused returns counts for the backing keys of a Region's key that have none.
func (r *restorer) unused(of scope, record *storagev1.KeyRecord) (counts []metadata.Entry, err error) {
	if r.Records == 0 {
		return nil, nil
	}
	for _, b := range record.GetBackingKeys() {
		if len(b.GetId()) != len(hsmpool.ObjectID{}) {
			return nil, fmt.Errorf("a backing key id has %d bytes", len(b.GetId()))
		}
		path := of.invocations(hsmpool.ObjectID(b.GetId()).String())
		if r.counted[path] {
			continue
		}
		count, err := r.count(path, 0)
		if err != nil {
			return nil, err
		}
		counts = append(counts, count)
	}
	return counts, nil
}

// count returns a count that is raised, without an overflow.
func (r *restorer) count(path string, reserved uint64) (metadata.Entry, error) {
	r.counted[path] = true
	raised := min(reserved, farBeyond) + min(r.Records, farBeyond)
	value, err := encodeValue(&storagev1.InvocationRecord{Reserved: &raised})
	return metadata.Entry{Key: path, Value: value, Revision: r.revision}, err
}
