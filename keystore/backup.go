package keystore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/hsmpool"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
	storagev1 "github.com/strongroom-kms/strongroom/proto/strongroom/storage/v1"
)

// chunkSize is how much of a backup is sent at a time, in bytes, more or less.
const chunkSize = 64 << 10

// Backup streams a backup of the metadata and the journal; its own event is in it.
func (o *operator) Backup(req *operatorv1.BackupRequest, stream grpc.ServerStreamingServer[operatorv1.BackupResponse]) error {
	ctx := stream.Context()
	if err := o.admit(ctx, operatorv1.OperatorService_Backup_FullMethodName, req); err != nil {
		return err
	}
	out := bufio.NewWriterSize(chunks{stream}, chunkSize)
	err := o.k.backup(ctx, out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // the client is gone, or the server stops
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

// chunks sends what is written to it.
type chunks struct {
	stream grpc.ServerStreamingServer[operatorv1.BackupResponse]
}

// Write implements io.Writer.
func (c chunks) Write(b []byte) (int, error) {
	if err := c.stream.Send(&operatorv1.BackupResponse{Chunk: b}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// still is what the service knew at one moment without a change under way.
type still struct {
	entries  []metadata.Entry
	revision uint64
	journal  journal.Cut
}

// backup writes a backup to w. Changes wait only while the metadata is read.
func (k *Keystore) backup(ctx context.Context, w io.Writer) error {
	var s still
	err := k.atRest(ctx, func(ctx context.Context) (err error) {
		s.journal = k.trail.Cut()
		s.entries, s.revision, err = k.store.Range(ctx, k.scope.prefix())
		return err
	})
	if err != nil {
		return fmt.Errorf("reading what is to be backed up: %w", err)
	}
	a, err := archive.NewWriter(w, archive.Header{
		Service: serviceVersion(), Created: time.Now(), Account: k.scope.account, Region: k.scope.region,
		Revision: s.revision, Journal: s.journal.Journal.String(),
		HeadSequence: s.journal.Head.Seq, HeadHash: s.journal.Head.Hash.String(),
	})
	if err != nil {
		return err
	}
	return s.write(a)
}

func (s still) write(a *archive.Writer) error {
	for _, e := range s.entries {
		if err := a.Entry(e); err != nil {
			return err
		}
	}
	for _, segment := range s.journal.Segments {
		if err := writeSegment(a, segment); err != nil {
			return err
		}
	}
	_, err := a.Close()
	return err
}

func writeSegment(a *archive.Writer, s journal.SegmentCut) error {
	r, err := s.Open()
	if err != nil {
		return err
	}
	return errors.Join(a.Segment(archive.Segment{Number: s.Number, Length: s.Length}, r), r.Close())
}

// serviceVersion is the module's version, as the Go tool recorded it.
func serviceVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// IsKey says whether a metadata entry of a backup is a KMS key.
func IsKey(h archive.Header, e metadata.Entry) bool {
	return strings.HasPrefix(e.Key, scope{h.Account, h.Region}.keyPrefix())
}

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
