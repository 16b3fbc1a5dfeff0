package auditcheck

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/strongroom-kms/strongroom/audit/journal"
)

// Head is a point of a journal that was kept elsewhere.
type Head struct {
	Journal journal.ID
	// Seq is the number of the newest record, and Hash the chain after it.
	Seq  uint64
	Hash journal.Hash
}

// ParseHead parses what String returns.
func ParseHead(text string) (Head, error) {
	var h Head
	id, rest, _ := strings.Cut(strings.TrimSpace(text), ":")
	number, hash, _ := strings.Cut(rest, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	h.Seq = seq
	if err != nil || !decodeHex(h.Journal[:], id) || !decodeHex(h.Hash[:], hash) {
		return Head{}, fmt.Errorf("head %q: want <journal id>:<record number>:<hash>, both in hexadecimal", text)
	}
	return h, nil
}

// decodeHex fills dst and says whether text is as long.
func decodeHex(dst []byte, text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == copy(dst, b) && len(b) == len(dst)
}

// String returns the head as "<journal id>:<record number>:<hash>".
func (h Head) String() string { return fmt.Sprintf("%v:%d:%v", h.Journal, h.Seq, h.Hash) }
