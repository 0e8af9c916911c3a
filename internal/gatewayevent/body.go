package gatewayevent

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"bulkpresign/internal/bulk"
)

// What a compressed body may become. An event has 6 MB, so its base64 at most 4.5 MB of gzip; a request that is written as
// people write it shrinks to a fifth, and one of a million keys that count up to a fiftieth.
const (
	MaxInflated = 64 << 20 // bytes of text
	MaxRatio    = 250      // bytes of text for one of gzip
)

// isGzip looks at the bytes: API Gateway's REST API inflates a body and leaves the header as the client sent it, and a
// client that forgets the header means the same.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html
func isGzip(body []byte) bool { return bytes.HasPrefix(body, []byte{0x1f, 0x8b}) }

// request is the body's text: out of base64, and unpacked where it is gzip.
func (e *httpEvent) request() ([]byte, *bulk.Error) {
	body := []byte(e.body)
	if e.isBase64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.body); err != nil {
			return nil, invalid("the body is not valid base64")
		}
	}
	if isGzip(body) {
		text, err := inflate(body)
		if err == nil && isGzip(text) {
			err = invalid("the body is gzip within gzip: compress it once")
		}
		return text, err
	}
	for header := range strings.SplitSeq(strings.Join(e.contentEncoding, ","), ",") {
		switch coding := strings.ToLower(strings.TrimSpace(header)); coding {
		case "", "identity":
		case "gzip", "x-gzip", "deflate": // an API inflates both
			if text := bytes.TrimLeft(body, "\ufeff \t\r\n"); !bytes.HasPrefix(text, []byte("{")) {
				return nil, invalid(wrongCoding(coding, body))
			}
		default:
			return nil, invalid("the header Content-Encoding names a coding that is not taken: send the JSON as it is, or compressed with gzip and \"Content-Encoding: gzip\"")
		}
	}
	return body, nil
}

// wrongCoding says of a body that is neither JSON nor gzip what its header promised.
func wrongCoding(coding string, body []byte) string {
	switch {
	case coding == "deflate":
		return `the body is compressed with deflate: send it as it is, or compressed with gzip and "Content-Encoding: gzip"`
	case bytes.HasPrefix(body, []byte("\x1f\ufffd")):
		return "the body is gzip that was damaged on its way, since the API handed it over as text: hand it over in base64 (a REST API's binaryMediaTypes)"
	}
	return `the header Content-Encoding says gzip, and the body is neither gzip nor a JSON object`
}

// inflate unpacks gzip of one member or several.
func inflate(body []byte) ([]byte, *bulk.Error) {
	most := min(MaxInflated, MaxRatio*len(body))
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, broken(err)
	}
	// The last four bytes tell the length of the last member: that is nearly always the whole, and is believed up to what
	// would be taken.
	size := int(min(int64(binary.LittleEndian.Uint32(body[len(body)-4:])), int64(most)))
	text := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := text.ReadFrom(io.LimitReader(z, int64(most)+1)); err != nil {
		return nil, broken(err)
	}
	if text.Len() > most {
		return nil, invalid(fmt.Sprintf("the body is more than is unpacked, %d MiB and %d times its size in gzip: send fewer keys in a request, or upload the list and name it as \"manifest\"",
			MaxInflated>>20, MaxRatio))
	}
	return text.Bytes(), nil
}

func broken(err error) *bulk.Error {
	why := "it is damaged"
	if errors.Is(err, io.ErrUnexpectedEOF) {
		why = "it is cut off"
	} else if errors.Is(err, gzip.ErrChecksum) {
		why = "its checksum is another"
	}
	return invalid("the body begins as gzip and cannot be unpacked: " + why)
}

func invalid(detail string) *bulk.Error {
	return &bulk.Error{Code: bulk.InvalidRequest, Detail: detail}
}
