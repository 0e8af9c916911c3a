// Command gen writes the assembly of package sha256x16: with avo what is for amd64, and
// sha_arm64.s, which avo does not know, as plain text.
//
// It is a module of its own so that avo does not enter the product's go.mod.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// streams is how many messages the instructions for SHA-256 take at a time, interleaved;
// vectors take one in each lane.
const streams = 4

// generatedBy is named in the first line of every generated file.
const generatedBy = "internal/sigv4/sha256x16/gen"

// pkg is the package that the assembly is of.
const pkg = "sha256x16"

// files are the generated files by name.
var files = map[string]func() ([]byte, error){
	"sha_amd64.s":    amd64,
	"sha_arm64.s":    arm64,
	"avx2_amd64.s":   avx2,
	"avx512_amd64.s": avx512,
}

func main() {
	dir := flag.String("dir", ".", "folder to write the assembly to")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	for name, generate := range files {
		src, err := generate()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), src, 0o644); err != nil {
			return err
		}
	}
	return nil
}
