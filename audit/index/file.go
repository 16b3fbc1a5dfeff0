package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// File is an index file that is open. It is for one goroutine.
type File struct {
	file   *os.File
	header *header
	layout layout
	// block is the part of the records' section that was read last, of which number.
	block   []byte
	blockNo int64
}

// Open opens the index file of a segment in dir. What it reads of the file is
// verified when it is read. It fails with fs.ErrNotExist or ErrDamaged.
func Open(dir string, segment uint64) (*File, error) {
	f, err := os.Open(Path(dir, segment))
	if err != nil {
		return nil, fmt.Errorf("opening an index: %w", err)
	}
	x := &File{file: f, blockNo: -1}
	if err := x.begin(segment); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

func (x *File) begin(segment uint64) error {
	info, err := x.file.Stat()
	if err != nil {
		return fmt.Errorf("opening the index of segment %d: %w", segment, err)
	}
	b := make([]byte, headerSize)
	if err := x.read(b, 0); err != nil {
		return err
	}
	if x.header, err = decodeHeader(b); err != nil {
		return err
	}
	x.layout = x.header.layout()
	if info.Size() != x.layout.end || x.header.Segment != segment {
		return ErrDamaged
	}
	return nil
}

// Close closes the file, which was only read.
func (x *File) Close() { _ = x.file.Close() }

// Info returns what the index is of.
func (x *File) Info() Info { return x.header.Info }

// read fills b from an offset.
func (x *File) read(b []byte, offset int64) error {
	_, err := x.file.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	if err != nil {
		return fmt.Errorf("reading an index: %w", err)
	}
	return nil
}

// section returns n bytes from an offset, behind which their checksum stands.
func (x *File) section(offset, n int64) ([]byte, error) {
	b := make([]byte, n+checkSize)
	if err := x.read(b, offset); err != nil {
		return nil, err
	}
	return checked(b)
}

func (x *File) location(i uint32) (location, error) {
	if i >= x.header.Records {
		return location{}, ErrDamaged
	}
	if no := int64(i / recordsInBlock); no != x.blockNo {
		records := min(recordsInBlock, int64(x.header.Records)-no*recordsInBlock)
		block, err := x.section(x.layout.records+no*(recordsInBlock*locationSize+checkSize), records*locationSize)
		if err != nil {
			return location{}, err
		}
		x.block, x.blockNo = block, no
	}
	b := x.block[i%recordsInBlock*locationSize:]
	return location{offset: binary.LittleEndian.Uint32(b), kind: Kind(b[4]), micros: int64(binary.LittleEndian.Uint64(b[8:]))}, nil
}

func (x *File) postings(hash uint64) ([]uint32, error) {
	bucket, err := x.bucket(bucketOf(hash, x.header.bits))
	if err != nil {
		return nil, err
	}
	for term := range slices.Chunk(bucket, termSize) {
		if binary.LittleEndian.Uint64(term) != hash {
			continue
		}
		count, where := binary.LittleEndian.Uint32(term[8:]), binary.LittleEndian.Uint32(term[12:])
		if count == 1 {
			return []uint32{where}, nil
		}
		return x.list(count, int64(where))
	}
	return nil, nil
}

// bucket returns the terms of a bucket.
func (x *File) bucket(number uint32) ([]byte, error) {
	directory, err := x.section(x.layout.directory, (1<<x.header.bits+1)*4)
	if err != nil {
		return nil, err
	}
	start, end := binary.LittleEndian.Uint32(directory[number*4:]), binary.LittleEndian.Uint32(directory[number*4+4:])
	if start > end || end > x.header.terms {
		return nil, ErrDamaged
	}
	return x.section(x.layout.terms+int64(start)*termSize+int64(number)*checkSize, int64(end-start)*termSize)
}

// list returns the records of a list of so many.
func (x *File) list(count uint32, where int64) ([]uint32, error) {
	b := make([]byte, listHeaderSize)
	if err := x.read(b, x.layout.postings+where); err != nil {
		return nil, err
	}
	n, sum := int64(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:])
	if where+listHeaderSize+n > x.header.postings || count > x.header.Records {
		return nil, ErrDamaged
	}
	b = make([]byte, n)
	if err := x.read(b, x.layout.postings+where+listHeaderSize); err != nil {
		return nil, err
	}
	if checksum(b) != sum {
		return nil, ErrDamaged
	}
	return decodeList(b, count)
}

func decodeList(b []byte, count uint32) ([]uint32, error) {
	list := make([]uint32, 0, count)
	last := uint64(0)
	for range count {
		distance, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, ErrDamaged
		}
		last += distance
		list = append(list, uint32(last))
		b = b[n:]
	}
	return list, nil
}
