// Package ckr knows the return codes of PKCS#11 (CK_RV): their names, and in one
// table what each one means for the request, the session and the worker that met
// it. It imports no PKCS#11 package, so the pool and the worker share it.
//
// Source: PKCS#11 version 2.40, section 11.1, and versions 3.0 to 3.2; what libraries
// really answer is in docs/pkcs11.md.
package ckr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// RV is the return code of a C_ function (CK_RV).
type RV uint32

// Of returns a library's code. Those that do not fit, on 64-bit systems, become the
// largest one, so that none of them passes for success.
func Of(code uint64) RV { return RV(min(code, math.MaxUint32)) }

// vendorDefined is the first of the codes that each library chooses itself.
const vendorDefined RV = 0x80000000

// String returns the standard's name of rv, or its number if it has none.
func (rv RV) String() string {
	if rv == OK {
		return "CKR_OK" // every API event says it
	}
	for code, name := range standard {
		if code == rv {
			return "CKR_" + name
		}
	}
	if rv >= vendorDefined {
		return fmt.Sprintf("CKR_VENDOR_DEFINED+0x%x (0x%08x)", uint32(rv-vendorDefined), uint32(rv))
	}
	return fmt.Sprintf("CKR 0x%08x", uint32(rv))
}

// All returns every code that the standard names, in rising order.
func All() []RV {
	var all []RV
	for code := range standard {
		all = append(all, code)
	}
	return all
}

// standard goes through the standard's codes and their names without CKR_. It is asked
// only for messages about failures.
func standard(yield func(RV, string) bool) {
	for line := range strings.Lines(names) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		code, err := strconv.ParseUint(number, 16, 32)
		if err == nil && !yield(RV(code), name) {
			return
		}
	}
}
