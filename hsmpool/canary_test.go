package hsmpool_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-kms/strongroom/hsmpool"
)

// TestTenThousandBadInputs sends what SoftHSM answers as if it were broken, ten thousand
// times in a row and each time the caller's fault. It restarts nothing, keeps nobody else
// from his answer, and leaves nothing in the worker's memory.
func TestTenThousandBadInputs(t *testing.T) {
	t.Parallel()
	const times = 10_000
	pool := newHSM(t).open(t, func(c *hsmpool.Config) { c.Sessions = 2 })
	bad := badInputs(t, pool)
	good := generate(t, pool)
	send := func(n int) {
		var senders sync.WaitGroup
		for first := range 4 {
			senders.Go(func() {
				for i := first; i < n; i += 4 {
					if err := bad[i%len(bad)](); !isCallers(err) {
						t.Errorf("bad input %d: %v", i%len(bad), err)
						return
					}
				}
			})
		}
		senders.Wait()
	}
	send(times / 10)
	before := residentKiB(t, pool)
	stop, others := make(chan struct{}), sync.WaitGroup{}
	answered := 0
	others.Go(func() {
		for ; ; answered++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := pool.Seal(t.Context(), good, []byte("x"), nil); err != nil {
				t.Errorf("somebody else's request: %v", err)
				return
			}
		}
	})
	send(times)
	close(stop)
	others.Wait()
	if answered < times/100 {
		t.Errorf("only %d requests of others were answered", answered)
	}
	if s := pool.Describe()[0]; s.Restarts != 0 || s.State != hsmpool.Ready {
		t.Errorf("%d restarts, %v", s.Restarts, s.State)
	}
	// The first ones have filled its buffers. A KiB for each bad input would be 10 MiB. Short
	// runs are those with the race detector, whose own memory grows.
	if grown := residentKiB(t, pool) - before; grown > 5<<10 && !testing.Short() {
		t.Errorf("the worker has grown by %d KiB", grown)
	}
}

func isCallers(err error) bool {
	var e *hsmpool.Error
	return errors.As(err, &e) && e.Class == hsmpool.Caller
}

// badInputs are requests that can only fail, most of them altered ciphertexts of AES-GCM.
func badInputs(tb testing.TB, pool *hsmpool.Pool) []func() error {
	tb.Helper()
	id := generate(tb, pool)
	sealed, err := pool.Seal(tb.Context(), id, random(256), nil)
	if err != nil {
		tb.Fatal(err)
	}
	open := func() error {
		altered := bytes.Clone(sealed.Ciphertext)
		altered[len(altered)-1] ^= 1
		_, err := pool.Open(tb.Context(), id, sealed.IV[:], altered, nil)
		return err
	}
	all := slices.Repeat([]func() error{open}, 50)
	decrypt, spki := generateKey(tb, pool, hsmpool.RSA2048, hsmpool.Encrypt)
	modulus := parse[*rsa.PublicKey](tb, spki).N.Bytes()
	for _, ciphertext := range [][]byte{bytes.Repeat([]byte{1}, 256), modulus, make([]byte, 255), make([]byte, 257)} {
		for _, a := range []hsmpool.Algorithm{hsmpool.OAEPSHA1, hsmpool.OAEPSHA256} {
			all = append(all, func() error {
				_, err := pool.DecryptOAEP(tb.Context(), decrypt, a, ciphertext)
				return err
			})
		}
	}
	agree, _ := generateKey(tb, pool, hsmpool.P256, hsmpool.Agree)
	for _, peer := range [][]byte{offCurve(tb), []byte("no key")} {
		all = append(all, func() error {
			_, err := pool.Agree(tb.Context(), agree, peer)
			return err
		})
	}
	return all
}

// offCurve is a public key whose point is not on P-256.
func offCurve(tb testing.TB) []byte {
	tb.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.PublicKey())
	if err != nil {
		tb.Fatal(err)
	}
	spki[len(spki)-1] ^= 1
	return spki
}

// residentKiB is the memory of the pool's one worker, the library's included.
func residentKiB(tb testing.TB, pool *hsmpool.Pool) int {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pool.Describe()[0].WorkerPID))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		tb.Fatal(err)
	}
	return kib
}
