package gatewayevent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/sigv4"
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
				if _, err := h.Invoke(context.Background(), buffer); err != nil {
					b.Fatal(err)
				}
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
	event.Write(bulk.Quote(string(body)))
	event.WriteByte('}')
	return event.Bytes()
}
