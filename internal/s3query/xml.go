package s3query

import (
	"bytes"
	"encoding/xml"
	"iter"
)

// element is the text of the first element of a name, of an answer that may hold what XML
// cannot: a key with a control character would stop a decoder.
func (a *Answer) element(name string) (text string, ok bool) {
	for inner := range a.elements(name) {
		err := xml.Unmarshal(append(append([]byte("<a>"), inner...), "</a>"...), &text)
		return text, err == nil && text != ""
	}
	return "", false
}

// elements are what is between the tags of each element of a name, which has no attributes.
func (a *Answer) elements(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		begin, end := []byte("<"+name+">"), []byte("</"+name+">")
		for rest := a.Body; ; {
			_, after, found := bytes.Cut(rest, begin)
			inner, next, ended := bytes.Cut(after, end)
			if !found || !ended || !yield(inner) {
				return
			}
			rest = next
		}
	}
}
