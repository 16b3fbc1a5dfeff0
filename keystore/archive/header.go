package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// firstHeader is the header of the first version, whose entries are all of one
// Region. Its members are in this order.
type firstHeader struct {
	Service      string    `json:"service"`
	Created      time.Time `json:"created"`
	Account      string    `json:"account"`
	Region       string    `json:"region"`
	Revision     uint64    `json:"revision"`
	Journal      string    `json:"journal"`
	HeadSequence uint64    `json:"headSequence"`
	HeadHash     string    `json:"headHash"`
}

// header is the same in the words of the present version.
func (f firstHeader) header() Header {
	return Header{
		Service: f.Service, Created: f.Created, Account: f.Account, Regions: []string{f.Region}, Revision: f.Revision,
		Journal: f.Journal, HeadSequence: f.HeadSequence, HeadHash: f.HeadHash,
	}
}

// decodeHeader reads a header, of which there is one encoding in each version.
func decodeHeader(version uint32, body []byte) (Header, error) {
	if version == firstVersion {
		return decodeFirstHeader(body)
	}
	var h Header
	if err := json.Unmarshal(body, &h); err != nil {
		return h, fmt.Errorf("%w: reading its header: %w", ErrCorrupt, err)
	}
	again, err := h.encode()
	return h, oneEncoding(body, again, err)
}

func decodeFirstHeader(body []byte) (Header, error) {
	var f firstHeader
	if err := json.Unmarshal(body, &f); err != nil {
		return Header{}, fmt.Errorf("%w: reading its header: %w", ErrCorrupt, err)
	}
	h := f.header()
	bad := h.check()
	f.Created = f.Created.UTC()
	again, err := json.Marshal(f)
	return h, oneEncoding(body, again, errors.Join(bad, err))
}

// oneEncoding compares a header with what encoding it again gave.
func oneEncoding(body, again []byte, err error) error {
	if err != nil || !bytes.Equal(body, again) {
		return errors.Join(fmt.Errorf("%w: its header is not as it should be", ErrCorrupt), err)
	}
	return nil
}
