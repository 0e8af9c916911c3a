package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"bulkpresign/internal/sigv4"
)

// What every contestant signs: GetObject of keys of 40 to 80 bytes, for 900 seconds, with
// a session token as long as a Lambda function's.
const (
	bucket      = "photos"
	region      = "eu-west-1"
	expiry      = 900 * time.Second
	numKeys     = 10_000
	tokenLength = 1000

	accessKeyID     = "ASIAIOSFODNN7EXAMPLE"
	secretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// sessionToken looks like one: base64, so that some of it must be escaped.
var sessionToken = random("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", tokenLength, 1)

// workloadKeys makes distinct keys. There are many, since botocore's cache of endpoints
// has 100 entries and the key is part of what it looks up. They lie one after the other in
// memory, as they do in a request.
func workloadKeys() []string {
	keys := make([]string, numKeys)
	lengths := rand.New(rand.NewPCG(2, 2))
	for i := range keys {
		begin := fmt.Sprintf("%04d/%02d/%02d/album-%03d/%06d", 2000+i%27, 1+i%12, 1+i%28, i%1000, i)
		end := ".jpg"
		if i%8 == 0 {
			end = " (copy).jpg"
		}
		length := 40 + lengths.IntN(41)
		const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
		keys[i] = begin + random(letters, max(0, length-len(begin)-len(end)), uint64(i)) + end
	}
	text := strings.Join(keys, "")
	for i, key := range keys {
		keys[i], text = text[:len(key)], text[len(key):]
	}
	return keys
}

func random(alphabet string, n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func signer(now time.Time) *sigv4.Signer {
	return sigv4.NewSigner(sigv4.Credentials{
		AccessKeyID:     accessKeyID,
		SecretAccessKey: secretAccessKey,
		SessionToken:    sessionToken,
	}, sigv4.Scope{Time: now, Region: region, Service: "s3"})
}

var request = sigv4.Request{
	Method:     "GET",
	Origin:     "https://" + host,
	Host:       host,
	PathPrefix: "/",
	ExpiresIn:  int(expiry / time.Second),
	Query:      []sigv4.Parameter{{Name: "x-id", Value: "GetObject"}},
}

const host = bucket + ".s3." + region + ".amazonaws.com"
