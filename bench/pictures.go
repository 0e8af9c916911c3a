package main

import (
	"path/filepath"
	"slices"

	"bulkpresign/bench/picture"
)

// draw writes the pictures of a table into a folder: the contestants beside each other, and
// the time of a URL by size of batch.
func (t *table) draw(folder string) error {
	bar := func(name string, c *contestant, isOurs bool) picture.Bar {
		return picture.Bar{Name: name, Value: c.median().ns, Ours: isOurs}
	}
	var bars []picture.Bar
	for _, c := range t.ours {
		if c.keys == headline && c.cores > 1 && c.name == t.batch.name {
			bars = append(bars, bar("ours, two cores", c, true))
		}
	}
	bars = append(bars, bar("ours, one core", t.batch, true), bar("ours, with crypto/sha256 alone", t.portable, true),
		bar(t.limit().name, t.limit(), false))
	for _, c := range t.rivals {
		if c == t.sdkFor(headline) || !slices.Contains(t.sdk, c) {
			bars = append(bars, bar(c.name, c, false))
		}
	}
	const title = "A pre-signed URL: its time by signer (less is better)"
	if err := picture.Bars(filepath.Join(folder, "sign.svg"), title, "ns a URL, log scale", bars); err != nil {
		return err
	}

	curve := func(name string, of []*contestant, like *contestant) picture.Series {
		s := picture.Series{Name: name}
		for _, c := range of {
			if like == nil || c.name == like.name && c.cores == like.cores {
				s.Points = append(s.Points, picture.Point{Keys: float64(c.keys), Value: c.median().ns})
			}
		}
		return s
	}
	return picture.Lines(filepath.Join(folder, "sign-batches.svg"), "The time of a URL by keys in a batch, one core", "ns a URL",
		[]picture.Series{
			curve("ours", t.ours, t.batch),
			curve("ours, with crypto/sha256 alone", t.ours, t.portable),
			curve("Go SDK, PresignClient", t.sdk, nil),
		})
}
