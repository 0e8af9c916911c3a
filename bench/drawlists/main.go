// Drawlists draws what make bench-manifest measured, a list of any length in S3, into a
// folder: time and memory by keys.
//
//	go run ./drawlists FIGURES.json FOLDER
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"bulkpresign/bench/picture"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: drawlists FIGURES.json FOLDER")
		os.Exit(2)
	}
	if err := draw(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "drawlists:", err)
		os.Exit(1)
	}
}

func draw(figures, folder string) error {
	text, err := os.ReadFile(figures)
	if err != nil {
		return err
	}
	var lists []struct {
		Keys      float64
		Seconds   float64
		PeakBytes float64 `json:"peak_bytes"`
	}
	if err := json.Unmarshal(text, &lists); err != nil {
		return fmt.Errorf("%s: %w", figures, err)
	}
	var time, memory []picture.Point
	for _, l := range lists {
		time = append(time, picture.Point{Keys: l.Keys, Value: l.Seconds})
		memory = append(memory, picture.Point{Keys: l.Keys, Value: l.PeakBytes / (1 << 20)})
	}
	if err := picture.Lines(filepath.Join(folder, "list-time.svg"), "A list in S3: time by keys, one core", "s",
		[]picture.Series{{Name: "the manifest function", Points: time}}); err != nil {
		return err
	}
	return picture.Lines(filepath.Join(folder, "list-memory.svg"), "A list in S3: peak of memory by keys", "MiB",
		[]picture.Series{{Name: "the manifest function", Points: memory}})
}
