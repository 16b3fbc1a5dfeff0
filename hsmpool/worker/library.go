//go:build cgo

package worker

/*
#cgo linux LDFLAGS: -ldl
#cgo noescape strongroom_sign
#cgo nocallback strongroom_sign
#cgo noescape strongroom_decrypt
#cgo nocallback strongroom_decrypt
#cgo noescape strongroom_value
#cgo nocallback strongroom_value
#cgo noescape strongroom_create
#cgo nocallback strongroom_create
#include <stdlib.h>
#include "library.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/strongroom-kms/strongroom/hsmpool/ckr"
)

// library uses keys through C code of our own: one crossing for a whole operation, and
// no memory lost, or left with a secret, when it fails. Its functions may be called by many
// goroutines, each with a session of its own.
type library struct {
	table  *C.strongroom_library
	counts *counts
}

// result is the last C_ function called and what it returned.
type result struct {
	function string
	// mechanism is the PKCS#11 name of what was done; empty if it has none.
	mechanism string
	rv        ckr.RV
	// wrong says what is wrong although the function returned CKR_OK.
	wrong error
}

// count counts the calls that the C code has made. All but the last have succeeded.
func (l *library) count(r C.strongroom_result, mechanism string) C.strongroom_result {
	for i, call := range r.calls[:r.count] {
		s := callSort{function: functionName(call.function), mechanism: mechanism}
		if i == int(r.count)-1 {
			s.rv = ckr.Of(uint64(r.rv))
		}
		if call.function == C.STRONGROOM_GENERATE_RANDOM {
			s.mechanism = ""
		}
		l.counts.call(s, time.Duration(call.nanoseconds))
	}
	l.counts.octets(int(r.octets_in), int(r.octets_out))
	return r
}

// resultOf checks what the C code says of an operation that must write want bytes.
func resultOf(r C.strongroom_result, want int) result {
	res := result{function: functionName(r.function), rv: ckr.Of(uint64(r.rv))}
	if res.rv == ckr.OK && uint64(r.length) != uint64(want) {
		res.wrong = fmt.Errorf("%s wrote %d bytes, not %d", res.function, uint64(r.length), want)
	}
	return res
}

// by returns the result as that of a mechanism.
func (r result) by(mechanism string) result {
	r.mechanism = mechanism
	return r
}

// loadLibrary loads a PKCS#11 library for the life of the process.
func loadLibrary(path string, counts *counts) (*library, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why *C.char
	table := C.strongroom_load(name, &why)
	if table == nil {
		return nil, fmt.Errorf("loading the PKCS#11 library %s: %s", path, C.GoString(why))
	}
	return &library{table, counts}, nil
}

// mechanism is a CK_MECHANISM: its number, its name for messages, and its parameters as
// CK_ULONGs.
type mechanism struct {
	kind   uint
	name   string
	params []uint
	// nested, if not nil, are parameters to which the last of params is a pointer; C_UnwrapKey
	// only.
	nested []uint
}

// operation says what is signed or decrypted.
type operation struct {
	session, key uint
	by           mechanism
	in           []byte
}

// sign signs, or makes a MAC, into out, and returns how long it is.
func (l *library) sign(o operation, out []byte) (int, result) {
	return written(o.by, l.count(C.strongroom_sign(l.table, C.ulong(o.session), C.ulong(o.key),
		C.ulong(o.by.kind), unsafe.Pointer(unsafe.SliceData(o.by.params)), paramsSize(o.by),
		pointer(o.in), C.ulong(len(o.in)), pointer(out), C.ulong(len(out))), o.by.name), out)
}

// decrypt decrypts into out, and returns how long the plaintext is.
func (l *library) decrypt(o operation, out []byte) (int, result) {
	return written(o.by, l.count(C.strongroom_decrypt(l.table, C.ulong(o.session), C.ulong(o.key),
		C.ulong(o.by.kind), unsafe.Pointer(unsafe.SliceData(o.by.params)), paramsSize(o.by),
		pointer(o.in), C.ulong(len(o.in)), pointer(out), C.ulong(len(out))), o.by.name), out)
}

// value reads an object's CKA_VALUE, which must fill out.
func (l *library) value(session, object uint, out []byte) result {
	return resultOf(l.count(C.strongroom_value(l.table, C.ulong(session), C.ulong(object), pointer(out), C.ulong(len(out))), ""), len(out))
}

// create makes an object of a template in which there is a secret.
func (l *library) create(session uint, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, result) {
	var pinned runtime.Pinner // the attributes point to each other's memory
	defer pinned.Unpin()
	attributes := make([]C.strongroom_attribute, len(template))
	for i, a := range template {
		attributes[i] = C.strongroom_attribute{_type: C.ulong(a.Type), value_length: C.ulong(len(a.Value))}
		if len(a.Value) > 0 {
			pinned.Pin(unsafe.SliceData(a.Value))
			attributes[i].value = unsafe.Pointer(unsafe.SliceData(a.Value))
		}
	}
	var object C.ulong
	r := l.count(C.strongroom_create(l.table, C.ulong(session), unsafe.SliceData(attributes), C.ulong(len(attributes)), &object), "")
	if r.rv == 0 && ofSession(template) {
		l.counts.keys.made(pkcs11.SessionHandle(session), pkcs11.ObjectHandle(object))
	}
	return pkcs11.ObjectHandle(object), resultOf(r, 0)
}

func paramsSize(m mechanism) C.ulong { return C.ulong(uintptr(len(m.params)) * unsafe.Sizeof(uint(0))) }

// written checks what the C code says of an operation that wrote some of out.
func written(by mechanism, r C.strongroom_result, out []byte) (int, result) {
	res := result{function: functionName(r.function), mechanism: by.name, rv: ckr.Of(uint64(r.rv))}
	n := uint64(r.length)
	if res.rv == ckr.OK && n > uint64(len(out)) {
		res.wrong = fmt.Errorf("%s wrote %d bytes where there was room for %d", res.function, n, len(out))
	}
	return int(min(n, uint64(len(out)))), res
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
	case C.STRONGROOM_SIGN_INIT:
		return "C_SignInit"
	case C.STRONGROOM_SIGN:
		return "C_Sign"
	case C.STRONGROOM_GET_ATTRIBUTE_VALUE:
		return "C_GetAttributeValue"
	case C.STRONGROOM_CREATE_OBJECT:
		return "C_CreateObject"
	}
	return ""
}
