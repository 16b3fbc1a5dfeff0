//go:build cgo

package worker

import (
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// TestCodesAreNamedAsTheStandardDoes compares the names with those of another reader of the
// standard, as far as that one knows them.
func TestCodesAreNamedAsTheStandardDoes(t *testing.T) {
	known := 0
	for _, rv := range ckr.All() {
		message := pkcs11.Error(rv).Error()
		at := strings.Index(message, "CKR_")
		if at < 0 {
			continue
		}
		known++
		if name := message[at:]; rv.String() != name {
			t.Errorf("0x%x is %s, not %s", uint32(rv), rv, name)
		}
	}
	if known < 80 {
		t.Errorf("only %d codes were compared", known)
	}
}
