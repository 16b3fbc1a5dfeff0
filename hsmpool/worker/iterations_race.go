//go:build cgo && race

package worker

// pinIterations are few in tests with the race detector, which is twelve times slower at
// them.
const pinIterations = 1000
