// Zip packs a function for Lambda, the same bytes for the same files wherever and whenever it runs.
//
//	zip FOLDER STEM   writes STEM-DIGEST.zip of the files in FOLDER, and prints its name
//
// DIGEST is the first 16 hex digits of the zip's SHA-256: other code has another name, which is how CloudFormation
// notices it. Go's own compressor gives the same bytes for the same release of Go on every system; a system's zlib or zip
// does not. Files are in the order of their names; they may be read and executed by all, as Lambda needs it of bootstrap, and
// are of 1980, since a zip has no time before.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

func main() {
	name, err := "", errors.New("usage: zip FOLDER STEM")
	if len(os.Args) == 3 {
		name, err = write(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "zip:", err)
		os.Exit(1)
	}
	fmt.Println(name)
}

// write packs a folder and returns the name of the zip.
func write(folder, stem string) (string, error) {
	packed, err := pack(folder)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(packed)
	name := stem + "-" + hex.EncodeToString(digest[:8]) + ".zip"
	return name, os.WriteFile(name, packed, 0o644)
}

// pack is the zip of the files of a folder, which must be flat: what make puts there is the binary and perhaps a policy.
func pack(folder string) ([]byte, error) {
	entries, err := os.ReadDir(folder) // in the order of their names
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	w.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(to, flate.BestCompression)
	})
	found := false
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			return nil, fmt.Errorf("%s is no file", filepath.Join(folder, entry.Name()))
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		header := &zip.FileHeader{Name: entry.Name(), Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		header.SetMode(0o755)
		file, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(content); err != nil {
			return nil, err
		}
		found = found || entry.Name() == "bootstrap"
	}
	if !found {
		return nil, fmt.Errorf("no bootstrap in %s", folder)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
