package strictjson

// Quote writes s as a JSON string.
func Quote(s string) []byte {
	b := append(make([]byte, 0, len(s)+2), '"')
	return append(AppendEscaped(b, s, 1), '"')
}

// AppendEscaped appends s as it stands inside so many JSON strings in one another, at most two.
func AppendEscaped(dst []byte, s string, times int) []byte {
	if times == 0 {
		return append(dst, s...)
	}
	plain := 0 // where what needs no escaping begins
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[plain:i]...)
			dst = appendEscape(dst, c, times)
			plain = i + 1
		}
	}
	return append(dst, s[plain:]...)
}

// appendEscape appends what RFC 8259, section 7, makes of a byte that needs it.
func appendEscape(dst []byte, c byte, times int) []byte {
	const hexDigits = "0123456789abcdef"
	escape := [6]byte{'\\', c}
	n := 2
	switch c {
	case '"', '\\':
	case '\b':
		escape[1] = 'b'
	case '\f':
		escape[1] = 'f'
	case '\n':
		escape[1] = 'n'
	case '\r':
		escape[1] = 'r'
	case '\t':
		escape[1] = 't'
	default:
		n = copy(escape[1:], "u00") + 3
		escape[4], escape[5] = hexDigits[c>>4], hexDigits[c&15]
	}
	for _, b := range escape[:n] {
		if times == 2 && (b == '"' || b == '\\') {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return dst
}
