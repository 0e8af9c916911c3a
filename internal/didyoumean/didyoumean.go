// Package didyoumean finds the name that was likely meant by one that is unknown: written in another way (expiresIn,
// Expires-In, EXPIRES_IN), called by another's word for the same thing (S3's, boto3's), or mistyped.
package didyoumean

import (
	"strings"
	"unicode"
)

// Words are names that mean the same elsewhere, in snake case, and the ones that are known here.
type Words map[string]string

// Name is the known name that given is likely meant to be, or "" when none is near.
func Name(given string, known []string, words Words) string {
	if len(given) == 0 || len(given) > 64 {
		return ""
	}
	g := Snake(given)
	has := func(name string) bool {
		for _, k := range known {
			if k == name {
				return true
			}
		}
		return false
	}
	for _, candidate := range []string{g, words[g], g + "s", strings.TrimSuffix(g, "s"), words[strings.TrimSuffix(g, "s")]} {
		if candidate != "" && has(candidate) {
			return candidate
		}
	}
	// Without what separates words: contenttype, versionid.
	plain := strings.ReplaceAll(g, "_", "")
	for _, k := range known {
		if strings.ReplaceAll(k, "_", "") == plain {
			return k
		}
	}
	// A slip of the finger for every four letters, two at most: what is farther away is another word.
	most := min(len(g)/4, 2)
	best, nearest := "", most+1
	for _, k := range known {
		if d := distance(g, k, nearest); d < nearest {
			best, nearest = k, d
		}
	}
	return best
}

// Snake writes a name in snake case: ResponseContentType, Content-Type and "content type" as response_content_type and
// content_type, SSEKMSKeyId as ssekms_key_id.
func Snake(s string) string {
	var b strings.Builder
	var before rune
	runes := []rune(strings.TrimSpace(s))
	for i, r := range runes {
		switch {
		case r == '-' || r == ' ' || r == '.':
			r = '_'
		case unicode.IsUpper(r):
			wordEnds := unicode.IsLower(before) || unicode.IsDigit(before)
			acronymEnds := unicode.IsUpper(before) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if wordEnds || acronymEnds {
				b.WriteByte('_')
			}
		}
		if b.Len() > 0 || r != '_' {
			b.WriteRune(unicode.ToLower(r))
		}
		before = runes[i]
	}
	return strings.Trim(b.String(), "_")
}

// distance is how many letters must be added, dropped, changed or swapped with their neighbour to make b of a, or bound
// when it is that or more.
func distance(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	before := make([]int, len(b)+1) // two rows up, for swaps
	above := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := above[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return min(above[len(b)], bound)
}
