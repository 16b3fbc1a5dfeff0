//go:build !cgo

package worker

import (
	"fmt"
	"os"
)

// Main says that this build cannot load a PKCS#11 library, and returns 1.
func Main([]string) int {
	fmt.Fprintln(os.Stderr, "hsm-worker: this strongroom was built without cgo and cannot load a PKCS#11 library: build it with CGO_ENABLED=1 and a C compiler")
	return 1
}
