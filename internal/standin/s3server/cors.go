package s3server

import "net/http"

// exposed are the headers that a page may read.
const exposed = "ETag, Content-Range, x-amz-request-id, x-amz-version-id"

// cors answers a browser's question before it sends (a preflight), which is never signed, and reports whether it
// was one. To everything else, errors too, it adds what lets a page read the answer. It is as a bucket whose rules
// allow every origin and every header: a pre-signed URL may ask the client for any that S3 knows.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
func cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", exposed)
	if r.Method != http.MethodOptions {
		return false
	}
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Header.Get("Origin") == "" || method == "" {
		(&refusal{400, "BadRequest", "Insufficient information. Origin request header needed."}).write(w, r)
		return true
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete:
	default:
		(&refusal{403, "AccessForbidden", "CORSResponse: This CORS request is not allowed."}).write(w, r)
		return true
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "3600")
	h.Add("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
	w.WriteHeader(http.StatusOK)
	return true
}

// hasNoLength tells whether S3 would refuse a body for not saying how long it is. What is sent in signed chunks says
// so in a header of its own.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList (MissingContentLength)
func hasNoLength(r *http.Request) bool {
	return r.Method == http.MethodPut && r.ContentLength < 0 && r.Header.Get("X-Amz-Decoded-Content-Length") == ""
}
