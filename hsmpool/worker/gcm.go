//go:build cgo

package worker

/*
#cgo linux LDFLAGS: -ldl
#cgo noescape strongroom_seal
#cgo nocallback strongroom_seal
#cgo noescape strongroom_open
#cgo nocallback strongroom_open
#include <stdlib.h>
#include "gcm.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

const (
	ivSize  = 12
	tagSize = 16
)

// library seals and opens through C code of our own: one crossing for a whole
// operation, and no memory lost when it fails. Its functions may be called by many
// goroutines, each with a session of its own.
type library struct {
	table *C.strongroom_library
}

// result is the last C_ function called and what it returned.
type result struct {
	function string
	rv       ckr.RV
	// wrong says what is wrong although the function returned CKR_OK.
	wrong error
}

// resultOf checks what the C code says of an operation that must write want bytes.
func resultOf(r C.strongroom_result, want int) result {
	res := result{function: functionName(r.function), rv: ckr.Of(uint64(r.rv))}
	if res.rv == ckr.OK && uint64(r.length) != uint64(want) {
		res.wrong = fmt.Errorf("%s wrote %d bytes, not %d", res.function, uint64(r.length), want)
	}
	return res
}

// loadLibrary loads a PKCS#11 library for the life of the process.
func loadLibrary(path string) (*library, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why *C.char
	table := C.strongroom_load(name, &why)
	if table == nil {
		return nil, fmt.Errorf("loading the PKCS#11 library %s: %s", path, C.GoString(why))
	}
	return &library{table}, nil
}

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
	return resultOf(r, len(out))
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
	return resultOf(r, len(out)-tagSize)
}

// pointer returns where b starts; nil for no bytes.
func pointer(b []byte) *C.uchar { return (*C.uchar)(unsafe.SliceData(b)) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

func functionName(f C.enum_strongroom_function) string {
	switch f {
	case C.STRONGROOM_GENERATE_RANDOM:
		return "C_GenerateRandom"
	case C.STRONGROOM_ENCRYPT_INIT:
		return "C_EncryptInit"
	case C.STRONGROOM_ENCRYPT:
		return "C_Encrypt"
	case C.STRONGROOM_DECRYPT_INIT:
		return "C_DecryptInit"
	case C.STRONGROOM_DECRYPT:
		return "C_Decrypt"
	}
	return ""
}
