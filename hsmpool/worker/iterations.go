//go:build cgo && !race

package worker

// pinIterations is what OWASP asks of PBKDF2 with HMAC-SHA-256: a quarter of a second,
// since PINs are short.
const pinIterations = 600_000
