package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"bulkpresign/internal/strictjson"
)

// flatten reads a whole text into its tokens, written one per line.
func flatten(text []byte) (tokens []string, err error) {
	r := strictjson.NewReader(bytes.Clone(text))
	var value func() error
	value = func() error {
		switch r.Peek() {
		case strictjson.Object:
			tokens = append(tokens, "{")
			err := r.Members(func(name string) error {
				tokens = append(tokens, "name "+name)
				return value()
			})
			tokens = append(tokens, "}")
			return err
		case strictjson.Array:
			tokens = append(tokens, "[")
			err := r.Elements(func(int) error { return value() })
			tokens = append(tokens, "]")
			return err
		case strictjson.String:
			s, err := r.String()
			tokens = append(tokens, "name "+s)
			return err
		case strictjson.Number:
			s, err := r.Number()
			tokens = append(tokens, "number "+s)
			return err
		case strictjson.True, strictjson.False:
			b, err := r.Bool()
			tokens = append(tokens, fmt.Sprint(b))
			return err
		case strictjson.Null:
			tokens = append(tokens, "null")
			return r.Null()
		}
		return r.Skip()
	}
	if err := value(); err != nil {
		return nil, err
	}
	return tokens, r.Finish()
}

// reference does the same with the strictest decoder of the field.
func reference(text []byte) (tokens []string, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		t, err := d.ReadToken()
		switch {
		case err == io.EOF && len(tokens) > 0:
			return tokens, nil
		case err != nil:
			return nil, err
		case d.StackDepth() == 0 && len(tokens) > 0 && t.Kind() != '}' && t.Kind() != ']':
			return nil, errors.New("more than one value")
		case d.StackDepth() == 1 && (t.Kind() == '{' || t.Kind() == '[') && len(tokens) > 0:
			return nil, errors.New("more than one value")
		}
		switch t.Kind() {
		case '"':
			tokens = append(tokens, "name "+t.String())
		case '0':
			tokens = append(tokens, "number "+t.String())
		default:
			tokens = append(tokens, t.String())
		}
	}
}

var seeds = []string{
	`{"bucket":"photos","keys":["a","b c",{"key":"d","version_id":"1"}],"expires_in":900,"strict_expiry":true,"format":null}`,
	`"\u00e9\ud83d\ude00\n\t\"\\\/\b\f\r"`, `"\ud800"`, `"\udc00x"`, `"\ud800\ud800"`, `"\ud83d\u0041"`, `"\u12"`, `"\x"`,
	"\"\xff\"", "\"\xed\xa0\x80\"", "\"abcdefgh\xc3\xa9\"", "\"tab\tinside\"", "\"\x00\"", "\"\x7f\"",
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{1:2}`, `{"a":1,}`,
	`0`, `-0`, `01`, `1.`, `.5`, `-`, `1e5`, `1E+5`, `1e`, `1e+`, `123456789012345678901234567890`, `NaN`, `Infinity`,
	`true`, `false`, `null`, `tru`, `nulll`, `truefalse`, ``, ` `, `[`, `{`, `"`, `"\`, `"\u`, `[1 2]`, `1 2`, "\ufeff1", `{}{}`, `[][]`,
	` [ 1 , "x" , { "y" : [ ] } ] ` + "\r\n\t",
	`["` + strings.Repeat("abcdefg", 9) + `é` + strings.Repeat("x", 9) + `\\"]`,
}

func compare(t *testing.T, text []byte) {
	got, err := flatten(text)
	want, wantErr := reference(text)
	if (err == nil) != (wantErr == nil) {
		var deep *strictjson.SyntaxError
		if errors.As(err, &deep) && strings.Contains(deep.Reason, "lie in one another") {
			return // a limit of ours: jsontext goes to 10,000
		}
		t.Fatalf("%q: error %v, jsontext says %v", text, err, wantErr)
	}
	if err == nil && !slices.Equal(got, want) {
		t.Fatalf("%q:\n got %q\nwant %q", text, got, want)
	}
	// Skip must be as strict as reading.
	r := strictjson.NewReader(bytes.Clone(text))
	skipErr := r.Skip()
	if skipErr == nil {
		skipErr = r.Finish()
	}
	if (skipErr == nil) != (err == nil) {
		t.Fatalf("%q: Skip says %v, reading says %v", text, skipErr, err)
	}
}

func TestAgainstReference(t *testing.T) {
	for _, s := range seeds {
		compare(t, []byte(s))
	}
}

func FuzzAgainstReference(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { compare(t, text) })
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"a":2}`:           `member "a" is given twice`,
		`["\ud800"]`:              "a string holds a lone surrogate, which is no character at line 1, column 3 (byte 2)",
		"[\"\xff\"]":              "a string is not valid UTF-8 at line 1, column 3 (byte 2)",
		`[1`:                      "the text ends too early at line 1, column 3 (byte 2)",
		`[1}`:                     "a comma or the end of the list must stand here at line 1, column 3 (byte 2)",
		`{"a" 1}`:                 "a colon must stand here at line 1, column 6 (byte 5)",
		`1 1`:                     "there is more text after the value at line 1, column 3 (byte 2)",
		strings.Repeat("[", 1000): "more than 64 arrays and objects lie in one another at line 1, column 65 (byte 64)",
	} {
		if _, err := flatten([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %q, want %q", text, err, want)
		}
	}
}

// A million members, and the last one doubled: found, and not in quadratic time.
func TestManyMembers(t *testing.T) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range 200_000 {
		fmt.Fprintf(&b, `"%d":0,`, i)
	}
	b.WriteString(`"7":0}`)
	var dup *strictjson.DuplicateError
	if err := strictjson.NewReader(b.Bytes()).Skip(); !errors.As(err, &dup) || dup.Name != "7" {
		t.Errorf("got %v, want the duplicate to be named", err)
	}
}

// batch is a request of 40,000 keys of 51 bytes.
func batch() []byte {
	var b bytes.Buffer
	b.WriteString(`{"bucket":"photos","operation":"GetObject","keys":[`)
	for i := range 40_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s%08d.jpg"`, strings.Repeat("abcdefghi/", 4), i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// The contestants for reading a batch. encoding/json is there for scale: it lets
// duplicate members and lone surrogates pass.
func BenchmarkKeys(b *testing.B) {
	text := batch()
	b.Run("strictjson", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			r := strictjson.NewReader(text) // no escapes: the text stays as it is
			keys := make([]string, 0, 40_000)
			err := r.Members(func(name string) error {
				if name != "keys" {
					return r.Skip()
				}
				return r.Elements(func(int) error {
					k, err := r.String()
					keys = append(keys, k)
					return err
				})
			})
			if err != nil || len(keys) != 40_000 {
				b.Fatal(err, len(keys))
			}
		}
	})
	b.Run("jsontext", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			d := jsontext.NewDecoder(bytes.NewBuffer(text))
			keys := make([]string, 0, 40_000)
			for {
				t, err := d.ReadToken()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				if t.Kind() == '"' && d.StackDepth() == 2 {
					keys = append(keys, t.String())
				}
			}
			if len(keys) != 40_000 {
				b.Fatal(len(keys))
			}
		}
	})
	b.Run("json_v2", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			var r struct {
				Keys []string `json:"keys"`
			}
			if err := jsonv2.Unmarshal(text, &r); err != nil || len(r.Keys) != 40_000 {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding_json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			var r struct {
				Keys []string `json:"keys"`
			}
			if err := json.Unmarshal(text, &r); err != nil || len(r.Keys) != 40_000 {
				b.Fatal(err)
			}
		}
	})
}
