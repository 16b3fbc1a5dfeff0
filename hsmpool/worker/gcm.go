//go:build cgo

package worker

/*
#cgo noescape strongroom_seal
#cgo nocallback strongroom_seal
#cgo noescape strongroom_open
#cgo nocallback strongroom_open
#include "library.h"
*/
import "C"

const (
	ivSize  = 12
	tagSize = 16

	// aesGCM is what PKCS#11 calls it.
	aesGCM = "CKM_AES_GCM"
)

// sealing says what goes into an encryption. iv is read back.
type sealing struct {
	session, key uint
	iv           *[ivSize]byte
	ivRandom     bool
	ivBits       uint
	plain        []byte
	plainRandom  bool
	aad          []byte
}

// seal encrypts into out, which is as long as plain and the tag.
func (l *library) seal(s sealing, out []byte) result {
	r := C.strongroom_seal(l.table, C.ulong(s.session), C.ulong(s.key),
		(*C.uchar)(&s.iv[0]), flag(s.ivRandom), C.ulong(s.ivBits),
		pointer(s.plain), C.ulong(len(s.plain)), flag(s.plainRandom),
		pointer(s.aad), C.ulong(len(s.aad)), pointer(out), C.ulong(len(out)))
	return resultOf(l.count(r, aesGCM), len(out)).by(aesGCM)
}

// opening says what goes into a decryption.
type opening struct {
	session, key uint
	iv           []byte
	ivBits       uint
	sealed, aad  []byte
}

// open decrypts into out, which is as long as the sealed bytes: some libraries ask
// for room for the tag too. The plaintext is shorter by the tag.
func (l *library) open(o opening, out []byte) result {
	r := C.strongroom_open(l.table, C.ulong(o.session), C.ulong(o.key),
		pointer(o.iv), C.ulong(o.ivBits), pointer(o.sealed), C.ulong(len(o.sealed)),
		pointer(o.aad), C.ulong(len(o.aad)), pointer(out), C.ulong(len(out)))
	return resultOf(l.count(r, aesGCM), len(out)-tagSize).by(aesGCM)
}
