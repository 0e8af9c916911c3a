package gatewayevent_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/deflate"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/sigv4"
	"bulkpresign/internal/strictjson"
)

// BenchmarkInvoke is everything between an event and its answer, the transport aside.
func BenchmarkInvoke(b *testing.B) {
	h := handler(io.Discard)
	h.Service.Policy.MaxKeys = 100_000
	h.Service.Credentials = fixed{bulk.Credentials{Credentials: sigv4.Credentials{
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret, SessionToken: strings.Repeat("IQoJb3JpZ2luX2Vj/EXAMPLE+", 40),
	}}}
	for _, test := range []struct {
		keys     int
		encoding string
	}{{1, "identity"}, {100, "identity"}, {3_500, "identity"}, {10_000, "gzip"}, {40_000, "gzip"}} {
		b.Run(fmt.Sprintf("%d keys %s", test.keys, test.encoding), func(b *testing.B) {
			event := httpEvent(b, test.keys, test.encoding)
			buffer := make([]byte, len(event))
			b.ReportAllocs()
			for b.Loop() {
				copy(buffer, event) // the handler takes it over
				answer, err := h.Invoke(context.Background(), buffer)
				if err != nil {
					b.Fatal(err)
				}
				answer.Sent()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*test.keys), "ns/URL")
		})
	}
}

// httpEvent is an HTTP API's event for a batch with keys of 60 bytes.
func httpEvent(t testing.TB, keys int, acceptEncoding string) []byte {
	t.Helper()
	list := make([]string, keys)
	for i := range list {
		list[i] = fmt.Sprintf("albums/%04d/%02d/%02d/photograph-%07d-of-the-harbour.jpeg", 2000+i%27, 1+i%12, 1+i%28, i)
	}
	body, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		t.Fatal(err)
	}
	event := bytes.NewBufferString(`{"version":"2.0","headers":{"accept-encoding":"` + acceptEncoding + `"},"requestContext":{"http":{"method":"POST"}},"body":`)
	event.Write(strictjson.Quote(string(body)))
	event.WriteByte('}')
	return event.Bytes()
}

// BenchmarkZipped holds signing, gzip and base64 of an answer against signing alone, by
// turns, so that both see the machine's good and bad times. Alone is what comes from the
// keys to their URLs in one text; x-signatures does not even count the writing of that
// text. The ratios are of medians.
func BenchmarkZipped(b *testing.B) {
	const keys = 10_000
	s := handler(io.Discard).Service
	s.Policy.MaxKeys = keys
	s.Credentials = fixed{bulk.Credentials{Credentials: sigv4.Credentials{
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret, SessionToken: strings.Repeat("IQoJb3JpZ2luX2Vj/EXAMPLE+", 40),
	}}}
	event := httpEvent(b, keys, "gzip")
	var envelope struct{ Body string }
	if err := json.Unmarshal(event, &envelope); err != nil {
		b.Fatal(err)
	}
	plan := func() *bulk.Plan {
		request, err := bulk.Decode([]byte(envelope.Body), keys)
		if err != nil {
			b.Fatal(err)
		}
		p, err := s.Plan(context.Background(), policy.Caller{}, request)
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	var signatures, urls, all []time.Duration
	var list, zipped, text []byte
	for b.Loop() {
		p := plan()
		began := time.Now()
		p.Sign()
		signed := time.Now()
		list = answer.Append(list[:0], p, bulk.URIList, answer.Bare)
		signatures, urls = append(signatures, signed.Sub(began)), append(urls, time.Since(began))

		p = plan()
		began = time.Now()
		p.Sign()
		zipped = answer.AppendGzip(zipped[:0], p, bulk.JSON, deflate.Fast)
		text = base64.StdEncoding.AppendEncode(text[:0], zipped)
		all = append(all, time.Since(began))
	}
	median := func(times []time.Duration) float64 {
		slices.Sort(times)
		return float64(times[len(times)/2].Nanoseconds()) / keys
	}
	b.ReportMetric(median(signatures), "ns/signature")
	b.ReportMetric(median(urls), "ns/URL")
	b.ReportMetric(median(all), "ns/zipped-URL")
	b.ReportMetric(median(all)/median(urls), "x-signing")
	b.ReportMetric(median(all)/median(signatures), "x-signatures")
}
