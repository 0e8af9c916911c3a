// Package awkward holds object keys that software gets wrong.
//
// A key is any UTF-8 text of 1 to 1,024 bytes, and S3 compares it byte by byte. Whatever trims, decodes, normalises
// or cleans one on its way makes another key of it, and an error that looks like a missing object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
package awkward

import "strings"

// A Key is an object key with a name that is fit for a subtest.
type Key struct {
	Name string
	Key  string
}

// Keys returns 90 keys that must work everywhere, in a fresh slice. None has a "." or ".." path segment.
func Keys() []Key {
	keys := []Key{
		// Spaces and what stands for them.
		{"space", "a b"},
		{"leading space", " a"},
		{"trailing space", "a "},
		{"only a space", " "},
		{"two spaces", "a  b"},
		{"plus", "a+b"},
		{"only a plus", "+"},
		{"plus beside space", "a+ b"},

		// Percent signs, and text that looks escaped already.
		{"percent", "100%"},
		{"only a percent", "%"},
		{"percent without hex", "%zz"},
		{"literal escaped slash", "a%2Fb"},
		{"literal escaped slash, lower case", "a%2fb"},
		{"literal escaped space", "a%20b"},
		{"literal escaped percent", "a%25b"},
		{"literal escaped dots", "%2e%2e/a"},
		{"literal escaped NUL", "a%00b"},
		{"literal escaped UTF-8", "caf%C3%A9"},

		// Slashes.
		{"leading slash", "/a"},
		{"trailing slash", "a/"},
		{"only a slash", "/"},
		{"two slashes", "a//b"},
		{"leading two slashes", "//a"},
		{"trailing two slashes", "a//"},
		{"only slashes", "///"},
		{"many segments", strings.Repeat("d/", 100) + "f"},
		{"file", "x"},
		{"below the file", "x/y"}, // a file system cannot hold both
		{"backslash path", `a\..\b`},

		// Dots that are no dot segments.
		{"hidden", ".hidden"},
		{"three dots", "..."},
		{"dots inside", "a..b"},
		{"segment begins with dots", "a/..b"},
		{"segment ends with dots", "a../b"},

		// What has a meaning in a URL, in HTML, XML and JSON, or in a shell.
		{"question mark", "a?b"},
		{"hash", "a#b"},
		{"ampersand", "a&b"},
		{"equals", "a=b"},
		{"semicolon", "a;b"},
		{"colon", "a:b"},
		{"at", "a@b"},
		{"exclamation mark", "a!b"},
		{"dollar", "a$b"},
		{"single quote", "a'b"},
		{"double quote", `a"b`},
		{"parentheses", "a(b)"},
		{"asterisk", "a*b"},
		{"comma", "a,b"},
		{"brackets", "a[b]"},
		{"braces", "a{b}"},
		{"pipe", "a|b"},
		{"backslash", `a\b`},
		{"caret", "a^b"},
		{"tilde", "a~b"},
		{"angle brackets", "a<b>"},
		{"backtick", "a`b"},
		{"all of them", "-_.~?#&=;@:!$'()*,[]{}|\\^\"<>`%+ "},
		{"XML", "<Key>&amp;]]></Key>"},
		{"JSON escape", `a\u0041\n`},
		{"shell", "$(id);`id`|id"},

		// What looks like a part of a request.
		{"query string", "?versionId=1&x-id=GetObject"},
		{"only a question mark", "?"},
		{"signature", "a?X-Amz-Signature=0000"},
		{"sub-resource", "?acl"},
		{"URL", "https://example.com/a?b=c#d"},
		{"authority", "//user:password@example.com:80/a"},
		{"data URL", "data:text/plain,a"},
		{"request line", "a HTTP/1.1"},

		// Text that is not ASCII.
		{"e acute, composed", "caf\u00e9"},
		{"e acute, decomposed", "cafe\u0301"},
		{"A ring, composed", "\u00c5"},
		{"Angstrom sign", "\u212b"}, // NFC makes the one above of it
		{"Hangul, composed", "\ud55c"},
		{"Hangul, decomposed", "\u1112\u1161\u11ab"},
		{"Japanese", "写真/日本語.jpg"},
		{"emoji", "😀.png"},
		{"emoji of several code points", "👩‍👩‍👧/🏳️‍🌈"},
		{"right to left", "תמונות/שלום.jpg"},
		{"right-to-left override", "a\u202egpj.exe"},
		{"zero-width space and byte order mark", "\ufeffa\u200bb"},
		{"no-break space", "a\u00a0b"},
		{"replacement character", "a\ufffdb"},
		{"last code point", "\U0010ffff"},

		// Control characters.
		{"NUL", "a\x00b"},
		{"tab, line feed, carriage return", "a\tb\nc\r\nd"},
		{"all other ASCII controls", controls()},
		{"next line and line separator", "a\u0085b\u2028c"},

		// The longest.
		{"1,024 bytes of ASCII", strings.Repeat("k", 1024)},
		{"1,024 bytes of four-byte characters", strings.Repeat("😀", 256)},
		{"1,024 bytes, each of them escaped", strings.Repeat("é%", 341) + "%"},
	}
	return keys
}

// DotSegments returns keys with a "." or ".." path segment, in a fresh slice. S3 takes them, but browsers and curl
// rewrite the path of such a URL before they send it, so that it asks for another key under a signature that does
// not fit. https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
func DotSegments() []Key {
	return []Key{
		{"parent", "../x"},
		{"here", "./x"},
		{"only parent", ".."},
		{"only here", "."},
		{"parent inside", "a/../b"},
		{"here inside", "a/./b"},
		{"parent at the end", "a/.."},
		{"here at the end", "a/."},
		{"parent after slashes", "a//../b"},
		{"parent after a leading slash", "/../x"},
	}
}

// controls is every ASCII control character but the four that have rows of their own.
func controls() string {
	var b strings.Builder
	for c := byte(1); c < 0x80; c++ {
		if c == '\t' || c == '\n' || c == '\r' {
			continue
		}
		if c < ' ' || c == 0x7f {
			b.WriteByte(c)
		}
	}
	return b.String()
}
