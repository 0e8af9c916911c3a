package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"bulkpresign/internal/standin/runtimeapi"
)

// An input is what somebody sends to hurt the service, and what must come of it.
type input struct {
	name   string
	event  func() []byte // for the api function
	answer string        // the code of the error, or "OK"
	env    []string
	lists  func() []list // for the manifest function, which is asked for the last of them
}

const signed = "OK"

// results gives what does not fit another place to go. The embedded S3 server stands there.
var results = []string{"PRESIGN_RESULTS_BUCKET=answers"}

// most lets a request hold as many keys as the configuration can ever allow.
var most = []string{"PRESIGN_MAX_KEYS=3000000"}

// inputs are the events that Lambda would hand on, each as large as it may be where size is the point of it.
var inputs = []input{
	{"one-byte keys, a whole event of one", repeated(`"a"`), "TooManyKeys", nil, nil},
	{"the same, 3,000,000 keys allowed", repeated(`"a"`), signed, most, nil},
	{"the same in a plain HTTP body", overHTTP(repeated(`"a"`), nil), signed, most, nil},
	{"the same in base64", inBase64(repeated(`"a"`)), signed, most, nil},
	{"100,000 times one key of 40 bytes", listed(100_000, func(int) string { return `"` + strings.Repeat("k", 40) + `"` }), signed, nil, nil},
	{"100,000 times one item, each with its options", listed(100_000, func(int) string { return `{"key":"a","version_id":"v"}` }), signed, nil, nil},
	{"100,000 times one key, each time with other options", listed(100_000, func(i int) string { return fmt.Sprintf(`{"key":"a","version_id":"%d"}`, i) }), signed, nil, nil},
	{"900,000 distinct short keys", listed(900_000, func(i int) string { return strconv.Quote(strconv.FormatInt(int64(i), 36)) }), "TooManyKeys", nil, nil},
	{"the same, 3,000,000 keys allowed", listed(900_000, func(i int) string { return strconv.Quote(strconv.FormatInt(int64(i), 36)) }), "ResponseTooLarge", most, nil},
	{"the same, gzip asked for", listed(900_000, func(i int) string { return strconv.Quote(strconv.FormatInt(int64(i), 36)) }, `"encoding":"gzip"`), "ResponseTooLarge", most, nil},
	{"the same, compact and gzip", listed(900_000, func(i int) string { return strconv.Quote(strconv.FormatInt(int64(i), 36)) }, `"encoding":"gzip","format":"compact"`), "ResponseTooLarge", most, nil},
	{"100,000 distinct keys", listed(100_000, func(i int) string { return fmt.Sprintf(`"%06d/%s"`, i, strings.Repeat("k", 40)) }), "ResponseTooLarge", nil, nil},
	{"100,000 distinct keys, gzip", listed(100_000, func(i int) string { return fmt.Sprintf(`"%06d/%s"`, i, strings.Repeat("k", 40)) }, `"encoding":"gzip"`), "ResponseTooLarge", nil, nil},
	{"100,000 distinct items, each with its options", listed(100_000, withOptions), "ResponseTooLarge", nil, nil},
	{"the same, gzip", listed(100_000, withOptions, `"encoding":"gzip"`), "ResponseTooLarge", nil, nil},
	{"the same in each format that is a text (csv)", listed(100_000, withOptions, `"encoding":"gzip","format":"csv"`), "ResponseTooLarge", nil, nil},
	{"50,000 items that each lack what they need", listed(50_000, func(i int) string { return fmt.Sprintf(`{"key":"%d","part_number":1}`, i) }, `"operation":"UploadPart"`), "ResponseTooLarge", nil, nil},
	{"100,000 keys that are refused", listed(100_000, func(i int) string { return fmt.Sprintf(`"../%06d"`, i) }), "ResponseTooLarge", nil, nil},
	{"6,000 keys of 1,024 bytes", listed(6_000, func(i int) string { return fmt.Sprintf(`"%06d%s"`, i, strings.Repeat("k", 1018)) }), "ResponseTooLarge", nil, nil},
	{"6,000 keys of 1,024 bytes, gzip", listed(6_000, func(i int) string { return fmt.Sprintf(`"%06d%s"`, i, strings.Repeat("k", 1018)) }, `"encoding":"gzip"`), signed, nil, nil},
	{"one key of 6 MB", filled(`{"keys":["`, "k", `"]}`), "ResponseTooLarge", nil, nil},
	{"6 keys of 1 MB", listed(6, func(int) string { return `"` + strings.Repeat("k", 1_000_000) + `"` }), signed, nil, nil},
	{"2 keys of 3 MB of slashes and dots", listed(2, func(int) string { return `"` + strings.Repeat("/.", 1_500_000) + `"` }), signed, nil, nil},
	{`keys of nothing but \u0000`, listed(6_000, func(i int) string { return fmt.Sprintf(`"%05d%s"`, i, strings.Repeat(`\u0000`, 170)) }), "ResponseTooLarge", nil, nil},
	{`one key of 1,000,000 \u0000`, filled(`{"keys":["`, `\u0000`, `"]}`), "ResponseTooLarge", nil, nil},
	{"keys of surrogate pairs", listed(4_000, func(i int) string { return fmt.Sprintf(`"%05d%s"`, i, strings.Repeat(`\ud83d\ude00`, 120)) }, `"encoding":"gzip"`), signed, nil, nil},
	{"a lone surrogate at the end of 6 MB", filled(`{"keys":["`, "k", `\ud800"]}`), "InvalidRequest", nil, nil},
	{"6 MB of opening brackets", filled("", "[", ""), "InvalidRequest", nil, nil},
	{"6 MB of opening brackets in keys", filled(`{"keys":`, "[", ""), "InvalidRequest", nil, nil},
	{`6 MB of {"a": in an unknown field`, filled(`{"x":`, `{"a":`, ""), "InvalidRequest", nil, nil},
	{"6 MB of brackets in a field of the wrong type", filled(`{"bucket":`, `[`, ""), "InvalidRequest", nil, nil},
	{"6 MB of brackets in an HTTP event's unknown field", filled(`{"requestContext":{"http":{"method":"POST"}},"x":`, "[", ""), "InvalidRequest", nil, nil},
	{"an object of 450,000 unknown members", members(450_000, ""), "InvalidRequest", nil, nil},
	{"an HTTP event with 300,000 headers", members(300_000, `"requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"a\"]}","headers":{`), signed, nil, nil},
	{"a number of 6,000,000 digits", filled(`{"keys":["a"],"expires_in":1`, "0", `}`), "ExpiryTooLong", nil, nil},
	{"1e999999", fixed(`{"keys":["a"],"expires_in":1e999999}`), "InvalidRequest", nil, nil},
	{"NaN", fixed(`{"keys":["a"],"expires_in":NaN}`), "InvalidRequest", nil, nil},
	{"-Infinity", fixed(`{"keys":["a"],"expires_in":-Infinity}`), "InvalidRequest", nil, nil},
	{"a fraction of 6,000,000 digits", filled(`{"keys":["a"],"expires_in":1.`, "0", `}`), "InvalidRequest", nil, nil},
	{"an option of 6 MB", filled(`{"keys":["a"],"version_id":"`, "v", `"}`), "InvalidOption", nil, nil},
	{"300,000 entries of metadata", metadata(300_000), "InvalidOption", nil, nil},
	{"100,000 keys under 2 KB of metadata", manyKeys(100_000), "ResponseTooLarge", nil, nil},
	{"1,800 items with 2 KB of metadata each", listed(1_800, twoKB, `"operation":"PutObject"`), "ResponseTooLarge", nil, nil},
	{"the same, gzip", listed(1_800, twoKB, `"operation":"PutObject","encoding":"gzip"`), signed, nil, nil},
	{"one key, given 1,800 times with 2 KB of metadata", listed(1_800, func(int) string { return strings.Replace(twoKB(0), `"0"`, `"a"`, 1) }, `"operation":"PutObject"`), signed, nil, nil},
	{"100,000 items with an option each under 680 entries of metadata", underMetadata(100_000), "InvalidOption", nil, nil},
	{"2,900 such items, so that no bound is met", underMetadata(2_900), "ResponseTooLarge", nil, nil},
	{"the same, gzip", underMetadata(2_900, `"encoding":"gzip"`), signed, nil, nil},
	{"the same, curl and gzip", underMetadata(2_900, `"encoding":"gzip","format":"curl"`), signed, nil, nil},
	{"100,000 items with an upload each, of 10,000 part numbers", listed(100_000, func(i int) string { return fmt.Sprintf(`{"key":"%d","upload_id":"%d"}`, i, i) }, `"operation":"UploadPart"`, partsMember()), "ResponseTooLarge", nil, nil},
	{"the same, gzip", listed(100_000, func(i int) string { return fmt.Sprintf(`{"key":"%d","upload_id":"%d"}`, i, i) }, `"operation":"UploadPart","encoding":"gzip"`, partsMember()), "ResponseTooLarge", nil, nil},
	{"one item with an upload, 100,000 times, of 10,000 part numbers", listed(100_000, func(i int) string { return `{"key":"a","upload_id":"b"}` }, `"operation":"UploadPart"`, partsMember()), "ResponseTooLarge", nil, nil},
	{"3,000,000 part numbers", filled(`{"operation":"UploadPart","upload_id":"u","keys":["a"],"part_numbers":[1`, ",1", `]}`), signed, nil, nil},
	{"10,000 part numbers for 100,000 keys", parts(100_000, ""), "ResponseTooLarge", nil, nil},
	{"the same, gzip", parts(100_000, `,"encoding":"gzip"`), "ResponseTooLarge", nil, nil},
	{"the same, csv and gzip", parts(100_000, `,"encoding":"gzip","format":"csv"`), "ResponseTooLarge", nil, nil},
	{"100 items with 10,000 part numbers each", listed(100, tenThousandParts, `"operation":"UploadPart","upload_id":"u"`), "ResponseTooLarge", nil, nil},
	{"one item with 10,000 part numbers, 100 times", listed(100, func(int) string { return tenThousandParts(0) }, `"operation":"UploadPart","upload_id":"u"`), "ResponseTooLarge", nil, nil},
	{"into the results bucket: 100,000 distinct keys", listed(100_000, func(i int) string { return fmt.Sprintf(`"%06d/%s"`, i, strings.Repeat("k", 40)) }), signed, results, nil},
	{"into the results bucket: 100,000 items, each with its options", listed(100_000, withOptions), signed, results, nil},
	{"into the results bucket: 100,000 keys under 2 KB of metadata", manyKeys(100_000), signed, results, nil},
	{"into the results bucket: 2,900 items under 680 entries of metadata", underMetadata(2_900), signed, results, nil},
	{"into the results bucket: 1,800 items with 2 KB of metadata each", listed(1_800, twoKB, `"operation":"PutObject"`), signed, results, nil},
	{"into the results bucket: 10 keys of 10,000 parts", parts(10, ""), signed, results, nil},
	{"into the results bucket: 900,000 keys, 3,000,000 allowed", listed(900_000, func(i int) string { return strconv.Quote(strconv.FormatInt(int64(i), 36)) }), signed, append(results, most...), nil},
	{"100,000 keys of 60 bytes in an HTTP body of gzip, into the results bucket", inGzip(listed(100_000, sixtyBytes)), signed, results, nil},
	{"1,200,000 items, each key four times: 70 MB of text", inGzip(listed(1_200_000, fourTimes)), "InvalidRequest", nil, nil},
	{"1,100,000 of them in 62 MiB, 3,000,000 allowed", inGzip(listed(1_100_000, fourTimes)), "ResponseTooLarge", most, nil},
	{"gzip: 1 GB of spaces in an event of 1.4 MB", inGzip(filledTo(1<<30, `{"keys":["a"]`, " ", "}")), "InvalidRequest", nil, nil},
	{"gzip: 64 MiB of opening brackets", inGzip(filledTo(64<<20, `{"x":`, "[", "")), "InvalidRequest", nil, nil},
	{"gzip: 4.5 MB of members of nothing", gzipMembers, "InvalidRequest", nil, nil},
	{"gzip: 4.5 MB of noise behind its first bytes", gzipNoise, "InvalidRequest", nil, nil},
	{"gzip: a name of 4.5 MB in its head", gzipName, "InvalidRequest", nil, nil},
	{"gzip that says 4 GB of itself", gzipLies, "InvalidRequest", nil, nil},
	{"a Content-Encoding header of 5 MB", func() []byte {
		return httpEvent(`{\"keys\":[\"a\"]}`, false, []byte(`,"content-encoding":"`+strings.Repeat("gzip,", 1_000_000)+`"`))
	}, signed, nil, nil},
	{"an Accept header of 5 MB", accept(5_000_000, "a,"), signed, nil, nil},
	{"an Accept header of 5 MB of parameters", accept(5_000_000, ";q=0.1"), signed, nil, nil},
	{"an Accept weight of 5,000,000 digits", accept(5_000_000, "1"), signed, nil, nil},
	{"keys made to collide in weak hashes", colliding(100_000), "ResponseTooLarge", nil, nil},
	{"6 MB of spaces", filled(`{"keys":["a"]`, " ", "}"), signed, nil, nil},
	{"6 MB that are no JSON", filled("", "x", ""), "InvalidRequest", nil, nil},
	{"6 MB of zero bytes", filled("", "\x00", ""), "InvalidRequest", nil, nil},
	{"6 MB of quotes that hide what kind of event it is", filled(`{"x":"`, `\"`, ""), "InvalidRequest", nil, nil},
	{"a body that is no base64", filled(`{"requestContext":{"http":{"method":"POST"}},"isBase64Encoded":true,"body":"`, "?", `"}`), "InvalidRequest", nil, nil},
}

func fixed(text string) func() []byte { return func() []byte { return []byte(text) } }

// filled is an event of the greatest size: before, as many copies of unit as there is room for, after.
func filled(before, unit, after string) func() []byte {
	return func() []byte {
		n := (runtimeapi.MaxPayload - len(before) - len(after)) / len(unit)
		return []byte(before + strings.Repeat(unit, n) + after)
	}
}

// repeated is an event of the greatest size with one item as often as there is room for.
func repeated(item string) func() []byte { return filled(`{"keys":[`+item, ","+item, `]}`) }

// listed is a request of n items, with other members before them.
func listed(n int, item func(int) string, others ...string) func() []byte {
	return func() []byte {
		var b bytes.Buffer
		b.WriteByte('{')
		for _, o := range others {
			b.WriteString(o + ",")
		}
		b.WriteString(`"keys":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(item(i))
		}
		b.WriteString("]}")
		return b.Bytes()
	}
}

func withOptions(i int) string {
	return fmt.Sprintf(`{"key":"%d","version_id":"%d"}`, i, i)
}

func twoKB(i int) string {
	return fmt.Sprintf(`{"key":"%d","metadata":{%s}}`, i, entries(200, i))
}

// entries are n entries of metadata, 10 bytes each as S3 counts them.
func entries(n, salt int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%04x":"%06d"`, i, salt)
	}
	return b.String()
}

func metadata(n int) func() []byte {
	return func() []byte {
		return []byte(`{"operation":"PutObject","keys":["a"],"metadata":{` + entries(n, 0) + `}}`)
	}
}

// manyKeys are n keys that share 200 entries of metadata.
func manyKeys(n int) func() []byte {
	return listed(n, func(i int) string { return strconv.Quote(strconv.Itoa(i)) }, `"operation":"PutObject"`, `"metadata":{`+entries(200, 0)+`}`)
}

// underMetadata are n items that each have an option of their own under as many entries of metadata as there can be.
func underMetadata(n int, others ...string) func() []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
	var b strings.Builder
	b.WriteString(`"metadata":{"m":"v"`)
	for i := range 680 {
		fmt.Fprintf(&b, `,"%c%c":"v"`, letters[i/len(letters)%len(letters)], letters[i%len(letters)])
	}
	members := []string{`"operation":"PutObject"`, b.String() + "}"}
	members = append(members, others...)
	return listed(n, func(i int) string { return fmt.Sprintf(`{"key":"%d","content_type":"a/%d"}`, i, i) }, members...)
}

// partsMember is the member part_numbers, with all there are.
func partsMember() string {
	return strings.TrimSuffix(strings.SplitN(tenThousandParts(0), ",", 2)[1], "}")
}

func tenThousandParts(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"key":"%d","part_numbers":[1`, i)
	for part := 2; part <= 10_000; part++ {
		fmt.Fprintf(&b, ",%d", part)
	}
	return b.String() + "]}"
}

func parts(n int, others string) func() []byte {
	return listed(n, func(i int) string { return strconv.Quote(strconv.Itoa(i)) }, `"operation":"UploadPart","upload_id":"u",`+partsMember()+others)
}

// members is an object of n members, distinct, so that it is not the first repeated one that ends it. Inside is what
// stands before them.
func members(n int, inside string) func() []byte {
	return func() []byte {
		var b bytes.Buffer
		b.WriteString("{" + inside)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"x%d":""`, i)
		}
		b.WriteString(strings.Repeat("}", 1+strings.Count(inside, "headers")))
		return b.Bytes()
	}
}

// colliding are keys of 44 bytes that differ only in pairs which the polynomial hashes of Java and others map to one
// value ("Aa" and "BB"). Ours is seeded anew for each request, so nobody can know which keys collide.
func colliding(n int) func() []byte {
	return listed(n, func(i int) string {
		b := []byte{'"'}
		for bit := range 22 {
			b = append(b, [2]string{"Aa", "BB"}[i>>bit&1]...)
		}
		return string(append(b, '"'))
	})
}

// overHTTP wraps a request that is shortened to fit: its quotes are escaped in an event.
func overHTTP(request func() []byte, headers []byte) func() []byte {
	return func() []byte {
		keys := (runtimeapi.MaxPayload - 400 - len(headers)) / len(`,\"a\"`)
		return httpEvent(strings.ReplaceAll(`{"keys":["a"`+strings.Repeat(`,"a"`, keys)+`]}`, `"`, `\"`), false, headers)
	}
}

func inBase64(request func() []byte) func() []byte {
	return func() []byte {
		keys := (runtimeapi.MaxPayload - 400) / 4 * 3 / len(`,"a"`)
		return httpEvent(base64.StdEncoding.EncodeToString([]byte(`{"keys":["a"`+strings.Repeat(`,"a"`, keys)+`]}`)), true, nil)
	}
}

func httpEvent(body string, isBase64 bool, headers []byte) []byte {
	return fmt.Appendf(nil, `{"version":"2.0","requestContext":{"http":{"method":"POST"}},"headers":{"accept-encoding":"gzip"%s},"isBase64Encoded":%t,"body":"%s"}`,
		headers, isBase64, body)
}

func accept(size int, unit string) func() []byte {
	return func() []byte {
		value := "text/csv;q=" + strings.Repeat(unit, size/len(unit))
		return httpEvent(`{\"keys\":[\"a\"]}`, false, []byte(`,"accept":"`+value+`"`))
	}
}

func sixtyBytes(i int) string {
	return fmt.Sprintf(`"albums/%04d/%02d/%02d/photograph-%07d-of-the-harbour.jpeg"`, 2000+i%27, 1+i%12, 1+i%28, i)
}

func fourTimes(i int) string { return sixtyBytes(i / 4) }

// filledTo is a text of a size: before, as many copies of unit as there is room for, after.
func filledTo(size int, before, unit, after string) func() []byte {
	return func() []byte {
		return []byte(before + strings.Repeat(unit, (size-len(before)-len(after))/len(unit)) + after)
	}
}

// inGzip sends a request over HTTP, compressed.
func inGzip(request func() []byte) func() []byte {
	return func() []byte {
		text := request()
		return gzipEvent(zipped(func(write func([]byte)) { write(text) }))
	}
}

// gzipEvent is an event with a body that is as long as it may be, at most.
func gzipEvent(body []byte) []byte {
	return httpEvent(base64.StdEncoding.EncodeToString(body), true, []byte(`,"content-encoding":"gzip"`))
}

// mostGzip is how many bytes have room in an event, in base64.
const mostGzip = (runtimeapi.MaxPayload - 400) / 4 * 3

func gzipMembers() []byte {
	empty := zipped(func(func([]byte)) {})
	return gzipEvent(bytes.Repeat(empty, mostGzip/len(empty)))
}

func gzipNoise() []byte {
	body := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
	for i := uint32(1); len(body) < mostGzip; i = i*1664525 + 1013904223 {
		body = append(body, byte(i>>24))
	}
	return gzipEvent(body)
}

func gzipName() []byte {
	head := []byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0xff} // 8: a name follows, up to a zero
	return gzipEvent(append(head, bytes.Repeat([]byte("n"), mostGzip-len(head))...))
}

// gzipLies says in its last bytes, which tell how much room it needs, that this is 4 GB.
func gzipLies() []byte {
	body := zipped(func(write func([]byte)) { write(listed(100_000, sixtyBytes)()) })
	return gzipEvent(append(body[:len(body)-4], 0xff, 0xff, 0xff, 0xff))
}
