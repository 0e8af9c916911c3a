package bulk

import (
	"slices"
	"strings"
)

// Format is a form of the answer.
type Format uint8

const (
	JSON    Format = iota // the contract's object
	Compact               // the object, with what URLs have in common written once
	NDJSON                // a JSON object for each URL or failed key, a line each
	CSV                   // RFC 4180, with a header row
	URIList               // RFC 2483: URLs, and comments for keys that failed
	Aria2                 // an input file of aria2c -i
	Curl                  // a config file of curl -K
	numFormats
)

var formats = [numFormats]struct{ name, mediaType, extension string }{
	JSON:    {"json", "application/json", "json"},
	Compact: {"compact", "application/json", "json"},
	NDJSON:  {"ndjson", "application/x-ndjson", "ndjson"},
	CSV:     {"csv", "text/csv; charset=utf-8; header=present", "csv"},
	URIList: {"uri-list", "text/uri-list; charset=utf-8", "txt"},
	Aria2:   {"aria2", "text/plain; charset=utf-8", "txt"},
	Curl:    {"curl", "text/plain; charset=utf-8", "txt"},
}

// String is the format's name in a request.
func (f Format) String() string { return formats[f].name }

// MediaType is the Content-Type of an answer.
func (f Format) MediaType() string { return formats[f].mediaType }

// FileExtension is how the name of a file with the answer ends.
func (f Format) FileExtension() string { return formats[f].extension }

// IsObject tells whether the answer is a JSON object rather than a text.
func (f Format) IsObject() bool { return f == JSON || f == Compact }

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, bool) {
	i := slices.Index(FormatNames(), name)
	return Format(max(i, 0)), i >= 0
}

// FormatNames are all that ParseFormat reads.
func FormatNames() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// FormatOf finds the format that a media type asks for.
func FormatOf(mediaType string) (f Format, ok bool) {
	switch strings.ToLower(mediaType) {
	case "application/json", "application/*", "*/*":
		return JSON, true
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
		return NDJSON, true
	case "text/csv":
		return CSV, true
	case "text/uri-list":
		return URIList, true
	// These are nobody's but this service's, as their tree says (RFC 6838, section 3.4).
	case "application/x.compact+json":
		return Compact, true
	case "text/x.aria2":
		return Aria2, true
	case "text/x.curl":
		return Curl, true
	}
	return 0, false
}
