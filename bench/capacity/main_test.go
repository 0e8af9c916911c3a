package main

import (
	"os"
	"testing"
)

// The document has what the program computes.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	filled, err := fill(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if filled != string(text) {
		t.Error("docs/scale.md has other tables: go -C bench run ./capacity ../docs/scale.md ../docs/pictures")
	}
}

// What is wanted of a thousand million keys: minutes, and less than a dollar.
func TestWanted(t *testing.T) {
	c := run(1e9, 1769, lambdaX86)
	if c.seconds > 300 || c.total() > 1 {
		t.Errorf("%.0f s and %.2f USD", c.seconds, c.total())
	}
}
