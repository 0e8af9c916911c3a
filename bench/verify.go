package main

import (
	"fmt"
	"net/http"
	"time"

	"bulkpresign/internal/check/sigv4verify"
)

// checkOurs makes sure, before anything is timed, that what is timed is the same work: our
// signer, on each of its ways, and the SDK's client and bare signer give the same URLs at
// the same time. No error quotes a URL.
func checkOurs(keys []string) error {
	now := time.Now()
	want, err := each(sdkPresignClient(frozen{newSDKSigner(), now}), keys)
	if err != nil {
		return err
	}
	bare, err := each(sdkSigner(func() time.Time { return now }), keys)
	if err != nil {
		return err
	}
	if err := same("the SDK's bare signer", bare, want); err != nil {
		return err
	}
	for _, portable := range []bool{true, false} {
		for _, cores := range coreCounts() {
			var err error
			onCores(cores, func() { err = checkBatches(newOurs(portable, now, new(memory)), keys, want) })
			if err != nil {
				return fmt.Errorf("ours, portable %v, on %d cores: %w", portable, cores, err)
			}
		}
	}
	return nil
}

// checkBatches signs the keys in batches of every size.
func checkBatches(o *ours, keys, want []string) error {
	for _, n := range batchSizes {
		for from := 0; from+n <= len(keys); from += n {
			o.sign(keys[from : from+n])
			if err := same(fmt.Sprintf("a batch of %d", n), o.list(), want[from:from+n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func same(name string, got, want []string) error {
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			return fmt.Errorf("%s differs from the SDK's PresignClient at key %d", name, i)
		}
	}
	return nil
}

// checkSignatures makes sure that a contestant's URLs are valid, whatever they look like.
func checkSignatures(name string, urls []string, n int) error {
	if len(urls) != n {
		return fmt.Errorf("%s: %d URLs for %d keys", name, len(urls), n)
	}
	for i, u := range urls {
		r := sigv4verify.Request{Method: http.MethodGet, URL: u}
		if err := sigv4verify.Verify(r, secretAccessKey, region, "s3"); err != nil {
			return fmt.Errorf("%s, key %d: %w", name, i, err)
		}
	}
	return nil
}

func each(presign presignFunc, keys []string) ([]string, error) {
	urls := make([]string, len(keys))
	for i, key := range keys {
		u, err := presign(key)
		if err != nil {
			return nil, err
		}
		urls[i] = u
	}
	return urls, nil
}
