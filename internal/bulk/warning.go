package bulk

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bulkpresign/internal/s3op"
)

// looksLikeASlip tells whether there is a warning for a key that is signed. Nearly all keys are found out fast: by their
// first and last byte, a look for a percent sign, and the batch's own options, which were looked at once.
func (p *Plan) looksLikeASlip(key string, options []s3op.Option) bool {
	if p.optionsWarn || keySlip(key) != "" {
		return true
	}
	return !slices.Equal(options, p.options) && s3op.Warning(options) != ""
}

// Warning is what looks like a slip about the key numbered i, which is Warned: a sentence for whoever asked.
func (p *Plan) Warning(i int) string { return Warning(p.Key(i), p.Options(i)) }

// Warned visits the keys that are signed and look like a slip, in the order of the request.
func (p *Plan) Warned(visit func(key, warning string)) {
	if !p.Any(Warned) {
		return
	}
	for i := range p.entries {
		if p.Is(i, Warned) {
			visit(p.Key(i), p.Warning(i))
		}
	}
}

// Warning is what looks like a slip about a key with effective options, or "".
func Warning(key string, settled []s3op.Option) string {
	ofKey, ofOptions := keySlip(key), s3op.Warning(settled)
	if ofKey != "" && ofOptions != "" {
		return ofKey + "; " + ofOptions
	}
	return ofKey + ofOptions
}

// keySlip is what about a key was perhaps not meant. The key is signed as it is.
func keySlip(key string) string {
	if key == "" {
		return ""
	}
	switch first := key[0]; {
	case first == '/':
		return "the key begins with a slash, which is a part of it: S3's keys usually have none"
	case first == 's' && strings.HasPrefix(key, "s3://"):
		return "the key is a whole s3:// URI, taken as a key: give what stands behind the bucket"
	case first == 'h' && (strings.HasPrefix(key, "https://") || strings.HasPrefix(key, "http://")):
		return "the key is a whole URL, taken as a key: give what stands behind the bucket"
	}
	if first, last := key[0], key[len(key)-1]; first <= ' ' || first >= 0x7f || last <= ' ' || last >= 0x7f {
		begin, _ := utf8.DecodeRuneInString(key)
		end, _ := utf8.DecodeLastRuneInString(key)
		for _, r := range []rune{begin, end} {
			if unicode.IsSpace(r) || unicode.IsControl(r) {
				return "the key begins or ends with white space or a control character, which is a part of it"
			}
		}
	}
	for at := strings.IndexByte(key, '%'); at >= 0; {
		if at+2 < len(key) && isHex(key[at+1]) && isHex(key[at+2]) {
			return "the key looks percent-encoded, and is signed as it is: give it decoded, unless the object is called that"
		}
		next := strings.IndexByte(key[at+1:], '%')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return ""
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
