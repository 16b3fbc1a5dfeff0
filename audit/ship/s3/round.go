package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
	"github.com/strongroom-kms/strongroom/audit/ship"
)

// round sends all that is in the directory and not in the bucket.
func (s *Sink) round(ctx context.Context) error {
	if err := s.sendKeys(ctx); err != nil {
		return err
	}
	regions, err := regionsIn(s.tree, top(s.o.Names, "CloudTrail-Digest"))
	if err != nil {
		return fmt.Errorf("looking for digests: %w", err)
	}
	for _, region := range regions {
		if err := s.sendDigests(ctx, region); err != nil {
			return err
		}
	}
	return s.sendUnnamed(ctx)
}

// sendKeys sends the list of the keys that sign, before digests that a new one has signed.
func (s *Sink) sendKeys(ctx context.Context) error {
	name := s.o.Names.PublicKeys()
	content, err := fs.ReadFile(s.tree, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(content, s.keys) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the list of keys: %w", err)
	}
	if err := s.put(ctx, object{key: name, contentType: "application/json", content: content, replace: true}); err != nil {
		return err
	}
	s.keys = content
	return nil
}

// sendDigests sends the digests of a Region after the one that the bucket has.
func (s *Sink) sendDigests(ctx context.Context, region string) error {
	newest := s.cursor.Digests[region].Object
	o, _ := cloudtrail.ParseObject(newest) // the zero time if there is none
	digests, err := find(s.tree, top(s.o.Names, "CloudTrail-Digest/"+region), o.Time, cloudtrail.KindDigest)
	if err != nil {
		return fmt.Errorf("looking for digests: %w", err)
	}
	for _, d := range digests {
		if d.name == newest {
			continue
		}
		if err := s.sendDigest(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// sendDigest sends a digest, after the files that it names, and moves the cursor.
func (s *Sink) sendDigest(ctx context.Context, f file) error {
	digest, err := cloudtrail.ReadDigest(s.tree, f.name)
	if err != nil {
		return err
	}
	for _, l := range digest.LogFiles {
		if err := s.sendLogFile(ctx, l.Object); err != nil {
			return err
		}
	}
	metadata := map[string]string{"signature": digest.Signature, "signature-algorithm": cloudtrail.SignatureAlgorithm}
	if err := s.sendFile(ctx, f.name, metadata); err != nil {
		return err
	}
	if err := s.sendFile(ctx, f.name+cloudtrail.SignatureSuffix, nil); err != nil {
		return err
	}
	for _, l := range digest.LogFiles {
		delete(s.sent, l.Object)
	}
	return s.advance(f, digest.Digest)
}

// advance notes that the bucket has a digest.
func (s *Sink) advance(f file, d *cloudtrail.Digest) error {
	if s.cursor.Digests == nil {
		s.cursor.Digests = map[string]ship.DigestCursor{}
	}
	s.cursor.Digests[f.Region] = ship.DigestCursor{Object: f.name, Journal: d.Journal.JournalID, Sequence: d.Journal.Last}
	s.cursor.Journal, s.cursor.Sequence = s.o.Journal.String(), s.taken()
	if err := s.cursor.Write(s.o.Cursor); err != nil {
		return err
	}
	s.progress.Saved(s.cursor.Sequence)
	s.progress.WaitsSince(s.covered())
	return nil
}

// sendUnnamed sends log files that no digest names yet. Those that were written before the
// newest digest in the bucket are named by it, or by one before it.
func (s *Sink) sendUnnamed(ctx context.Context) error {
	for _, kind := range []string{"CloudTrail", "CloudHSM"} {
		regions, err := regionsIn(s.tree, top(s.o.Names, kind))
		if err != nil {
			return fmt.Errorf("looking for log files: %w", err)
		}
		for _, region := range regions {
			if err := s.sendUnnamedOf(ctx, kind, region); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sink) sendUnnamedOf(ctx context.Context, kind, region string) error {
	o, _ := cloudtrail.ParseObject(s.cursor.Digests[region].Object)
	files, err := find(s.tree, top(s.o.Names, kind+"/"+region), o.Time.Truncate(time.Minute),
		cloudtrail.KindLogFile, cloudtrail.KindHSMLogFile)
	if err != nil {
		return fmt.Errorf("looking for log files: %w", err)
	}
	for _, f := range files {
		if err := s.sendLogFile(ctx, f.name); err != nil {
			return err
		}
	}
	return nil
}

// sendLogFile sends a log file, unless the bucket has it.
func (s *Sink) sendLogFile(ctx context.Context, name string) error {
	if s.sent[name] {
		return nil
	}
	if err := s.sendFile(ctx, name, nil); err != nil {
		return err
	}
	s.sent[name] = true
	return nil
}

func (s *Sink) sendFile(ctx context.Context, name string, metadata map[string]string) error {
	content, err := fs.ReadFile(s.tree, name)
	if err != nil {
		return fmt.Errorf("reading a file that the bucket does not have: %w", err)
	}
	contentType := "application/gzip"
	if strings.HasSuffix(name, cloudtrail.SignatureSuffix) {
		contentType = "text/plain"
	}
	return s.put(ctx, object{key: name, contentType: contentType, content: content, metadata: metadata})
}

// put stores an object and counts it.
func (s *Sink) put(ctx context.Context, o object) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if err := s.bucket.put(ctx, o); err != nil {
		return err
	}
	s.progress.Took(1)
	return nil
}
