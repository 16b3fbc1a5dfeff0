package keystore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/strongroom-kms/strongroom/audit/journal"
	"github.com/strongroom-kms/strongroom/keystore/archive"
	"github.com/strongroom-kms/strongroom/keystore/metadata"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
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

// restTimeout bounds how long changes are held back, waiting included.
const restTimeout = 30 * time.Second

// atRest runs a function, which must be quick, while no change of any Region is
// between its intent and its event.
func (k *Keystore) atRest(ctx context.Context, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, restTimeout)
	defer cancel()
	resume, err := k.changes.pause(ctx)
	if err != nil {
		return outOfTime(ctx, "A change under way").because(err)
	}
	defer resume()
	return run(ctx)
}

// still is what the service knew at one moment without a change under way.
type still struct {
	entries  []metadata.Entry
	revision uint64
	journal  journal.Cut
}

// backup writes a backup of all Regions to w. Changes wait only while the metadata is read.
func (k *Keystore) backup(ctx context.Context, w io.Writer) error {
	var s still
	err := k.atRest(ctx, func(ctx context.Context) (err error) {
		s.journal = k.trail.Cut()
		s.entries, s.revision, err = k.store.Range(ctx, k.regions.prefix())
		return err
	})
	if err != nil {
		return fmt.Errorf("reading what is to be backed up: %w", err)
	}
	a, err := archive.NewWriter(w, archive.Header{
		Service: serviceVersion(), Created: time.Now(), Account: k.scope.account, Regions: k.regions.Names(),
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
func IsKey(e metadata.Entry) bool { return strings.HasPrefix(e.Key, scopeOf(e.Key).keyPrefix()) }
