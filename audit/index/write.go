package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Suffixes of the names of index files, and of such as are being written.
const (
	Suffix     = ".index"
	tempSuffix = ".tmp"
)

// Path names the index file of a segment.
func Path(dir string, segment uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", segment, Suffix))
}

// Write makes the index file of a finished segment in dir, which is made if missing. The
// file has its name only when it is complete. It is not synced: an index that a power
// cut damages is noticed and made again.
func (b *Builder) Write(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		b.mu.Lock()
		path, content := Path(dir, b.info.Segment), b.encode()
		b.mu.Unlock()
		err = writeFile(path, content)
	}
	if err != nil {
		return fmt.Errorf("writing the index of segment %d: %w", b.info.Segment, err)
	}
	return nil
}

func writeFile(path string, content []byte) error {
	temp := path + tempSuffix
	err := os.WriteFile(temp, content, 0o600)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// encode returns the file's content. b.mu is held.
func (b *Builder) encode() []byte {
	hashes := slices.Sorted(maps.Keys(b.terms))
	h := header{Info: b.info, terms: uint32(len(hashes)), bits: uint32(bits.Len(uint(len(hashes) / termsInBucket)))}
	terms, lists := b.encodeTerms(hashes, h.bits)
	h.postings = int64(len(lists))
	content := make([]byte, headerSize, h.layout().end)
	copy(content, h.encode())
	content = b.appendLocations(content)
	content = appendDirectory(content, hashes, h.bits)
	content = append(content, terms...)
	return append(content, lists...)
}

func (b *Builder) appendLocations(content []byte) []byte {
	for block := range slices.Chunk(b.records, recordsInBlock) {
		start := len(content)
		for _, l := range block {
			content = binary.LittleEndian.AppendUint32(content, l.offset)
			content = append(content, byte(l.kind), 0, 0, 0)
			content = binary.LittleEndian.AppendUint64(content, uint64(l.micros))
		}
		content = appendCheck(content, start)
	}
	return content
}

// appendDirectory appends, for each bucket, how many terms are in those before it, and
// how many there are at all.
func appendDirectory(content []byte, hashes []uint64, bits uint32) []byte {
	start, before := len(content), 0
	for bucket := range uint32(1) << bits {
		for before < len(hashes) && bucketOf(hashes[before], bits) < bucket {
			before++
		}
		content = binary.LittleEndian.AppendUint32(content, uint32(before))
	}
	content = binary.LittleEndian.AppendUint32(content, uint32(len(hashes)))
	return appendCheck(content, start)
}

// encodeTerms returns the buckets, and the lists that they point to.
func (b *Builder) encodeTerms(hashes []uint64, bits uint32) (terms, lists []byte) {
	for bucket := range uint32(1) << bits {
		start := len(terms)
		for len(hashes) > 0 && bucketOf(hashes[0], bits) == bucket {
			p := b.terms[hashes[0]]
			where := p.first
			if len(p.more) > 0 {
				where = uint32(len(lists))
				lists = appendList(lists, p)
			}
			terms = binary.LittleEndian.AppendUint64(terms, hashes[0])
			terms = binary.LittleEndian.AppendUint32(terms, uint32(1+len(p.more)))
			terms = binary.LittleEndian.AppendUint32(terms, where)
			hashes = hashes[1:]
		}
		terms = appendCheck(terms, start)
	}
	return terms, lists
}

// appendList appends the records of a posting, each as its distance from the one before.
func appendList(lists []byte, p posting) []byte {
	start := len(lists)
	lists = append(lists, make([]byte, listHeaderSize)...)
	lists = binary.AppendUvarint(lists, uint64(p.first))
	last := p.first
	for _, record := range p.more {
		lists = binary.AppendUvarint(lists, uint64(record-last))
		last = record
	}
	content := lists[start+listHeaderSize:]
	binary.LittleEndian.PutUint32(lists[start:], uint32(len(content)))
	binary.LittleEndian.PutUint32(lists[start+4:], checksum(content))
	return lists
}

// Number returns the number of the segment whose index file has a name.
func Number(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, Suffix)
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil
}
