package powercut

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
)

// disk is what a disk has of one file.
type disk struct {
	sector  int64 // bytes of a sector
	size    int64 // the file's length
	content []byte
	state   []sectorState
}

// sectorState is what became of a sector.
type sectorState byte

const (
	hole   sectorState = iota // nothing was written to it
	missed                    // something was, and did not reach the disk
	taken                     // something has reached the disk
)

// reserve makes room for a file of a size.
func (d *disk) reserve(size int64) {
	if int64(len(d.content)) < size {
		d.content = resize(d.content, size)
	}
	if n := int((size + d.sector - 1) / d.sector); len(d.state) < n {
		d.state = append(d.state, make([]sectorState, n-len(d.state))...)
	}
}

// take writes a sector as it is in memory, where the file may have ended before.
func (d *disk) take(memory []byte, sector int64) {
	from := sector * d.sector
	to := min(from+d.sector, int64(len(d.content)))
	n := 0
	if from < int64(len(memory)) {
		n = copy(d.content[from:to], memory[from:])
	}
	clear(d.content[from+int64(n) : to])
	d.state[sector] = taken
}

// miss leaves a sector as it is.
func (d *disk) miss(sector int64) {
	if d.state[sector] == hole {
		d.state[sector] = missed
	}
}

// spoil fills the sectors that nothing has reached with what was there before the
// file.
func (d *disk) spoil(r *rand.Rand) {
	for i, state := range d.state {
		from := int64(i) * d.sector
		for at := from; state == missed && at < min(from+d.sector, int64(len(d.content))); at++ {
			d.content[at] = byte(r.Uint32())
		}
	}
}

// writeSparse writes a file without spending time and space on zeros.
func writeSparse(path string, content []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = f.Truncate(int64(len(content)))
	const page = 4096
	zeros := make([]byte, page)
	for at := 0; at < len(content) && err == nil; at += page {
		if part := content[at:min(at+page, len(content))]; !bytes.Equal(part, zeros[:len(part)]) {
			_, err = f.WriteAt(part, int64(at))
		}
	}
	return errors.Join(err, f.Close())
}
