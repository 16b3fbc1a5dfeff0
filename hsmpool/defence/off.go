//go:build undefended

package defence

import (
	"os"
	"slices"
	"strings"
)

// On tells whether a defence is on: unless STRONGROOM_WITHOUT names it.
func On(d Defence) bool {
	return !slices.Contains(strings.Split(os.Getenv("STRONGROOM_WITHOUT"), ","), string(d))
}
