package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestCheckedInAssemblyIsCurrent(t *testing.T) {
	for name, generate := range files {
		want, err := generate()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes: run go generate in the folder above", name)
		}
	}
}
