package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bulkpresign/internal/check/faults"
)

// list writes counted things, most first.
func counted[K ~string](counts map[K]int) string {
	names := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(names, func(a, b K) int { return counts[b] - counts[a] })
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func total(counts ...map[faults.Kind]int) (n int) {
	for _, c := range counts {
		for _, k := range c {
			n += k
		}
	}
	return n
}
