//go:build cgo

package worker

import (
	"crypto/rand"
	"fmt"
	"math/big"
)

// koblitz is the curve secp256k1, y^2 = x^3 + 7 (SEC 2, 2.4.1), which Go's packages do not
// know.
type koblitz struct {
	p, n *big.Int
	g    affine
}

// affine is a point; without coordinates it is the one at infinity.
type affine struct{ x, y *big.Int }

func secp256k1() koblitz {
	number := func(s string) *big.Int { n, _ := new(big.Int).SetString(s, 16); return n }
	return koblitz{
		p: number("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
		n: number("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
		g: affine{
			number("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
			number("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"),
		},
	}
}

// secp256k1Point returns the uncompressed point of a scalar. math/big takes a time that
// depends on its numbers; therefore the scalar is split into two of which each is random.
func secp256k1Point(scalar []byte) ([]byte, error) {
	c := secp256k1()
	d := new(big.Int).SetBytes(scalar)
	if d.Sign() == 0 || d.Cmp(c.n) >= 0 {
		return nil, errScalar
	}
	one, err := rand.Int(rand.Reader, c.n)
	if err != nil {
		return nil, fmt.Errorf("splitting a scalar: %w", err)
	}
	other := new(big.Int).Sub(d, one)
	other.Mod(other, c.n)
	defer wipe(d, one, other)
	at := c.add(c.times(one), c.times(other))
	point := make([]byte, 1+2*len(scalar))
	point[0] = 4
	at.x.FillBytes(point[1 : 1+len(scalar)])
	at.y.FillBytes(point[1+len(scalar):])
	return point, nil
}

// wipe overwrites numbers.
func wipe(numbers ...*big.Int) {
	for _, n := range numbers {
		clear(n.Bits())
	}
}

// times returns the base point so many times, by doubling and adding.
func (c koblitz) times(k *big.Int) affine {
	var sum affine
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = c.add(sum, sum)
		if k.Bit(i) == 1 {
			sum = c.add(sum, c.g)
		}
	}
	return sum
}

// add adds two points by the chord or the tangent through them (SEC 1, 2.2.1).
func (c koblitz) add(a, b affine) affine {
	switch {
	case a.x == nil:
		return b
	case b.x == nil:
		return a
	}
	rise, run := new(big.Int).Sub(b.y, a.y), new(big.Int).Sub(b.x, a.x)
	if run.Sign() == 0 {
		if rise.Sign() != 0 {
			return affine{} // a point and its negative
		}
		rise.Mul(a.x, a.x)
		rise.Mul(rise, big.NewInt(3))
		run.Lsh(a.y, 1)
	}
	slope := run.ModInverse(run.Mod(run, c.p), c.p)
	slope.Mul(slope, rise)
	slope.Mod(slope, c.p)
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, a.x)
	x.Sub(x, b.x)
	x.Mod(x, c.p)
	y := new(big.Int).Sub(a.x, x)
	y.Mul(y, slope)
	y.Sub(y, a.y)
	y.Mod(y, c.p)
	return affine{x, y}
}
