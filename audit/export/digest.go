package export

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

const (
	// signTimeout bounds how long the key may take to sign the digests of all Regions.
	signTimeout = 10 * time.Second
	firstRetry  = time.Second
	lastRetry   = time.Minute
)

// signingError says that a digest cannot be signed now. The exporting of log files
// goes on.
type signingError struct{ err error }

// Error implements error.
func (e *signingError) Error() string { return "signing a digest: " + e.err.Error() }

// Unwrap returns the signer's error.
func (e *signingError) Unwrap() error { return e.err }

// digest ends the log files and makes the digests that are due. If the key that
// signs is away it is tried again later.
func (s *session) digest(ctx context.Context) error {
	if err := s.flush(); err != nil {
		return err
	}
	err := s.sign(ctx)
	if signing := (*signingError)(nil); errors.As(err, &signing) {
		return nil // sign has seen to it
	}
	return err
}

// sign makes a digest of each Region for what is exported.
func (s *session) sign(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	signed, keys, err := s.signAll(ctx)
	if err != nil {
		return s.postpone(&signingError{err})
	}
	if err := s.publishKeys(keys); err != nil {
		return err
	}
	s.retry, s.state.Bytes = 0, 0
	for region, d := range signed {
		s.state.link(region, d)
	}
	for _, region := range s.state.regions() { // in order, so that a repetition is one
		s.state.Digests = append(s.state.Digests, signed[region].unwritten)
	}
	if err := s.decide(); err != nil {
		return err
	}
	s.signed()
	s.report(signed)
	s.scheduleDigest()
	return nil
}

// postpone has the digests made later.
func (s *session) postpone(err *signingError) error {
	s.retry = min(max(2*s.retry, firstRetry), lastRetry)
	s.digestDue.Reset(s.retry)
	s.unsigned(err)
	return err
}

// scheduleDigest has the next digests made when they are due.
func (s *session) scheduleDigest() {
	end, _ := s.state.lastEnd()
	s.digestDue.Reset(min(time.Until(end.Add(s.opts.DigestPeriod)), s.opts.DigestPeriod))
}

// signedDigest is a digest and what goes to disk of it.
type signedDigest struct {
	unwritten
	digest *cloudtrail.Digest
}

// signAll signs a digest of each Region, all for the same time and record, before
// any is written.
func (s *session) signAll(ctx context.Context) (map[string]signedDigest, []cloudtrail.PublicKey, error) {
	keys, err := s.opts.Signer.PublicKeys(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("asking for the key: %w", err)
	}
	if len(keys) == 0 {
		return nil, nil, errors.New("there is no key")
	}
	end := s.endTime()
	signed := make(map[string]signedDigest)
	for region := range s.state.Regions {
		d, err := s.signOne(ctx, s.newDigest(region, end), keys[len(keys)-1])
		if err != nil {
			return nil, nil, err
		}
		signed[region] = d
	}
	return signed, keys, nil
}

// endTime is now, or later if the clock has not moved past the last digest: no two
// digests of a Region end in the same second, nor before each other.
func (s *session) endTime() time.Time {
	end := time.Now().UTC().Truncate(time.Second)
	if last, made := s.state.lastEnd(); made && !end.After(last) {
		return last.Add(time.Second)
	}
	return end
}

// newDigest says what the next digest of a Region says.
func (s *session) newDigest(region string, end time.Time) *cloudtrail.Digest {
	c := s.state.Regions[region]
	d := &cloudtrail.Digest{
		Account: s.opts.Account, Start: s.state.Begun, End: end,
		Bucket: s.opts.Bucket, Object: s.names.Digest(region, end), LogFiles: slices.Clone(c.Waiting),
		Journal: s.rangeOf(c),
	}
	if l := c.Last; l != nil {
		d.Start = l.End
		d.Previous = &cloudtrail.Previous{Bucket: l.Bucket, Object: l.Object, HashValue: l.HashValue, Signature: l.Signature}
	}
	if d.Start.After(end) {
		d.Start = end // the clock was set back
	}
	for _, f := range d.LogFiles {
		if d.Oldest == nil || f.Oldest.Before(*d.Oldest) {
			d.Oldest = &f.Oldest
		}
		if d.Newest == nil || f.Newest.After(*d.Newest) {
			d.Newest = &f.Newest
		}
	}
	return d
}

// rangeOf returns the records that the next digest of a chain stands for. One that is ahead
// of the cursor, since the state was lost, stays where it is.
func (s *session) rangeOf(c *chain) cloudtrail.Range {
	r := cloudtrail.Range{JournalID: s.state.Journal, First: c.Next, Last: s.state.Cursor.Sequence, LastHash: s.state.Cursor.Hash}
	if l := c.Last; l != nil && r.Last < l.Last && c.Next == l.Last+1 {
		r.Last, r.LastHash = l.Last, l.LastHash
	}
	return r
}

// signOne signs a digest and checks the signature: a bad one would break the chain
// for good.
func (s *session) signOne(ctx context.Context, d *cloudtrail.Digest, key cloudtrail.PublicKey) (signedDigest, error) {
	d.Fingerprint = key.Fingerprint
	content, err := d.Encode()
	if err != nil {
		return signedDigest{}, err
	}
	message := d.SigningString(content)
	signature, fingerprint, err := s.opts.Signer.Sign(ctx, message)
	switch {
	case err != nil:
		return signedDigest{}, err
	case fingerprint != key.Fingerprint:
		return signedDigest{}, fmt.Errorf("key %s was replaced by %s meanwhile", key.Fingerprint, fingerprint)
	}
	if err := cloudtrail.VerifySignature(key.DER, message, signature); err != nil {
		return signedDigest{}, fmt.Errorf("key %s: %w", key.Fingerprint, err)
	}
	u := unwritten{Object: d.Object, Content: content, Signature: hex.EncodeToString(signature)}
	return signedDigest{unwritten: u, digest: d}, nil
}

// link makes a digest the newest one of its Region.
func (s *state) link(region string, signed signedDigest) {
	d := signed.digest
	s.Regions[region] = &chain{
		Next: d.Journal.Last + 1,
		Last: &link{
			Bucket: d.Bucket, Object: d.Object, HashValue: cloudtrail.HashValue(signed.Content), Signature: signed.Signature,
			Fingerprint: d.Fingerprint, End: d.End, Last: d.Journal.Last, LastHash: d.Journal.LastHash,
		},
	}
}

// report has the newest digests in the log too: there nobody removes them together
// with the files.
func (s *session) report(signed map[string]signedDigest) {
	for _, region := range s.state.regions() {
		d := signed[region].digest
		s.opts.Logger.Info("audit digest is signed", "object", d.Object, "lastSequence", d.Journal.Last,
			"lastHash", d.Journal.LastHash, "logFiles", len(d.LogFiles), "key", d.Fingerprint)
	}
}
