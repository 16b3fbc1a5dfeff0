package export

import (
	"fmt"
	"maps"
	"slices"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// flush ends the log files and moves the cursor behind what they hold.
func (s *session) flush() error {
	s.logDue.Stop()
	if s.read.seq == s.state.Cursor.Sequence {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.streams)) {
		if err := s.finish(s.streams[name]); err != nil {
			return err
		}
		delete(s.streams, name)
	}
	if err := s.disk.syncDir(s.disk.path(tempDir)); err != nil {
		return fmt.Errorf("ending log files: %w", err)
	}
	s.state.Cursor = s.read.cursor()
	s.state.Bytes += s.open
	s.open = 0
	return s.decide()
}

// finish makes a log file durable and takes it into the state.
func (s *session) finish(st *stream) error {
	if err := st.finish(s.disk); err != nil {
		return err
	}
	object := s.objectOf(st)
	c := s.state.Regions[st.region]
	c.Waiting = append(c.Waiting, st.entry(s.opts.Bucket, object, s.state.Journal))
	s.state.Files = append(s.state.Files, unnamed{Temporary: st.temporary, Object: object})
	return nil
}

func (s *session) objectOf(st *stream) string {
	if st.hsm == "" {
		return s.names.LogFile(st.region, st.written, cloudtrail.Unique(s.opts.Journal, st.region, st.first, st.last))
	}
	unique := cloudtrail.Unique(s.opts.Journal, st.hsm, st.first, st.last)
	return s.names.HSMLogFile(s.opts.ClusterOf(st.hsm), st.hsm, st.written, unique)
}

// decide makes the state durable and carries out what it says.
func (s *session) decide() error {
	files := len(s.state.Files) > 0
	if err := s.state.save(s.disk); err != nil {
		return err
	}
	if err := carryOut(s.disk, s.state); err != nil {
		return err
	}
	s.exported(s.state, files)
	return nil
}

// carryOut does what a durable state says, as far as it was not done.
func carryOut(d disk, st *state) error {
	for _, f := range st.Files {
		if err := nameFile(d, f); err != nil {
			return fmt.Errorf("naming log file %s: %w", f.Object, err)
		}
	}
	for _, u := range st.Digests {
		if err := u.write(d); err != nil {
			return fmt.Errorf("writing digest %s: %w", u.Object, err)
		}
	}
	st.Files, st.Digests = nil, nil
	return nil
}

// nameFile does nothing if the file has its name. If it has none and is not there
// either, the digest names it all the same, so that a check finds it missing.
func nameFile(d disk, f unnamed) error {
	there, err := d.exists(f.Temporary)
	if err != nil || !there {
		return err
	}
	return d.name(f.Temporary, f.Object)
}

// write writes a digest that is not there, its signature first: who sees a digest
// sees its signature too.
func (u unwritten) write(d disk) error {
	there, err := d.exists(u.Object)
	if err != nil || there {
		return err
	}
	if err := d.write(u.Object+cloudtrail.SignatureSuffix, cloudtrail.SignatureFile(u.Signature)); err != nil {
		return err
	}
	file, err := cloudtrail.Compress(u.Content)
	if err != nil {
		return err
	}
	return d.write(u.Object, file)
}
