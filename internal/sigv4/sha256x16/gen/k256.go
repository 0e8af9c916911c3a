package main

import "math/big"

// k256 computes the 64 round constants of FIPS 180-4, 4.2.2: the first 32 bits
// of the fractional parts of the cube roots of the first 64 primes.
func k256() (k [64]uint32) {
	for i, n := 0, int64(2); i < len(k); n++ {
		if !big.NewInt(n).ProbablyPrime(0) {
			continue
		}
		k[i] = uint32(cubeRoot(new(big.Int).Lsh(big.NewInt(n), 3*32)))
		i++
	}
	return k
}

// cubeRoot is the integer part of the cube root of x, which is below 2^192.
func cubeRoot(x *big.Int) uint64 {
	var root uint64
	for bit := uint64(1) << 63; bit != 0; bit >>= 1 {
		r := new(big.Int).SetUint64(root | bit)
		if r.Exp(r, big.NewInt(3), nil).Cmp(x) <= 0 {
			root |= bit
		}
	}
	return root
}
