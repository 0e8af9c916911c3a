// Command gen writes the assembly of package sha256x4: kernels_amd64.s, with
// avo, and kernels_arm64.s, which avo does not know, as plain text.
//
// It is a module of its own so that avo does not enter the product's go.mod.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// streams is sha256x4.Streams.
const streams = 4

// generatedBy is named in the first line of every generated file.
const generatedBy = "internal/sigv4/sha256x4/gen"

// files are the generated files by name.
var files = map[string]func() ([]byte, error){
	"kernels_amd64.s": amd64,
	"kernels_arm64.s": arm64,
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
