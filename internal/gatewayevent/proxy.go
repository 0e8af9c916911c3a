package gatewayevent

import (
	"slices"
	"strconv"

	"bulkpresign/internal/strictjson"
)

// responseEnd closes what responseHead opens.
const responseEnd = `"}`

// responseHead is a proxy response up to where the text of the body begins.
func responseHead(status int, mediaType, encoding string, headers ...string) string {
	if encoding != "" {
		headers = append(slices.Clip(headers), "content-encoding", encoding)
	}
	b := appendHead(nil, status, mediaType, headers...)
	b = strconv.AppendBool(append(b, `,"isBase64Encoded":`...), encoding != "")
	return string(append(b, `,"body":"`...))
}

// appendHead begins the JSON object that tells API Gateway of a response's status and
// headers, and leaves it open.
func appendHead(b []byte, status int, mediaType string, headers ...string) []byte {
	b = append(strconv.AppendInt(append(b, `{"statusCode":`...), int64(status), 10), `,"headers":{"cache-control":"no-store","content-type":`...)
	b = append(b, strictjson.Quote(mediaType)...)
	for i := 0; i+1 < len(headers); i += 2 {
		b = append(append(b, ','), strictjson.Quote(headers[i])...)
		b = append(append(b, ':'), strictjson.Quote(headers[i+1])...)
	}
	return append(b, '}')
}
