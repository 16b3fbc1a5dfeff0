package auditcheck

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/strongroom-kms/strongroom/audit/cloudtrail"
)

// stream is the records of a Region, or of an HSM, as they stand in log files.
type stream struct {
	tree    fs.FS
	files   []cloudtrail.LogFile // those still to be read, oldest first
	file    cloudtrail.LogFile   // the one that records are of
	records [][]byte
	begun   bool // a record was looked for
}

// peek returns the file of the next record; false if there is none.
func (s *stream) peek() (cloudtrail.LogFile, bool, error) {
	for len(s.records) == 0 && len(s.files) > 0 {
		s.file, s.files = s.files[0], s.files[1:]
		var err error
		if s.records, err = readLogFile(s.tree, s.file.Object); err != nil {
			return s.file, false, err
		}
		if n := uint64(len(s.records)); n != s.file.Journal.Records {
			return s.file, false, &Fault{File: s.file.Object, Record: s.file.Journal.First,
				Reason: fmt.Sprintf("it has %d records, and its digest says %d", n, s.file.Journal.Records)}
		}
	}
	return s.file, len(s.records) > 0, nil
}

// seek does the same after it has passed what is older than the journal, whose first
// record has a number. Of the file with records before and after, it passes those up to the one
// that is looked for, since they have no numbers.
func (s *stream) seek(first uint64, record []byte) (cloudtrail.LogFile, bool, error) {
	for len(s.records) == 0 && len(s.files) > 0 && s.files[0].Journal.Last < first {
		s.files = s.files[1:]
	}
	file, ok, err := s.peek()
	if ok && file.Journal.First < first && !s.begun {
		if at := slices.IndexFunc(s.records, func(r []byte) bool { return bytes.Equal(r, record) }); at > 0 {
			s.records = s.records[at:]
		}
	}
	s.begun = true
	return file, ok, err
}

// take returns the next record. There is one.
func (s *stream) take() []byte {
	next := s.records[0]
	s.records = s.records[1:]
	return next
}

// readLogFile returns the records of a log file: events as JSON, HSM entries as text.
func readLogFile(tree fs.FS, name string) ([][]byte, error) {
	content, err := unpack(tree, name)
	if err != nil {
		return nil, err
	}
	if o, ok := cloudtrail.ParseObject(name); ok && o.Kind == cloudtrail.KindHSMLogFile {
		entries := bytes.SplitAfter(content, []byte("\n\n"))
		for i, e := range entries {
			entries[i] = bytes.TrimSuffix(e, []byte("\n"))
		}
		return entries[:len(entries)-1], nil
	}
	var file struct{ Records []json.RawMessage }
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("log file %s: %w", name, err)
	}
	records := make([][]byte, len(file.Records))
	for i, r := range file.Records {
		records[i] = r
	}
	return records, nil
}

func unpack(tree fs.FS, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", name, err)
	}
	content, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", name, err)
	}
	return content, nil
}
