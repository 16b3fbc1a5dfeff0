package present

import "fmt"

// Count says how many there are of something, by its name in the singular and in
// the plural: "1 entry", "2 entries".
func Count[N int | int32 | int64 | uint32 | uint64](n N, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}
