package metadata

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A record is what the file has under an entry's key:
//
//	revision, 8 bytes | CRC-32C, 4 bytes | value
//
// Numbers are big-endian. The checksum covers the key, the revision's 8 bytes and
// the value, because bbolt has none of its own on data.
const recordHeader = 8 + 4

func encodeRecord(e Entry) []byte {
	record := make([]byte, 0, recordHeader+len(e.Value))
	record = binary.BigEndian.AppendUint64(record, e.Revision)
	record = binary.BigEndian.AppendUint32(record, checksum(e.Key, record, e.Value))
	return append(record, e.Value...)
}

// decodeRecord returns ErrCorrupt for anything that encodeRecord does not make.
// The entry shares no memory with the record.
func decodeRecord(key string, record []byte) (Entry, error) {
	if len(record) < recordHeader {
		return Entry{}, fmt.Errorf("%w: the record of %q is %d bytes long, less than %d",
			ErrCorrupt, key, len(record), recordHeader)
	}
	revision, sum, value := record[:8], record[8:recordHeader], record[recordHeader:]
	if binary.BigEndian.Uint32(sum) != checksum(key, revision, value) {
		return Entry{}, fmt.Errorf("%w: the record of %q does not match its checksum", ErrCorrupt, key)
	}
	e := Entry{Key: key, Value: append([]byte{}, value...), Revision: binary.BigEndian.Uint64(revision)}
	if e.Revision == 0 {
		return Entry{}, fmt.Errorf("%w: the record of %q has revision 0", ErrCorrupt, key)
	}
	return e, nil
}

func checksum(key string, revision, value []byte) uint32 {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, castagnoli, []byte(key))
	sum = crc32.Update(sum, castagnoli, revision)
	return crc32.Update(sum, castagnoli, value)
}
