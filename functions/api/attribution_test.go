package main_test

import (
	"slices"
	"strings"
	"testing"

	"bulkpresign/internal/check/rawhttp"
)

// With PRESIGN_ATTRIBUTION every URL says which request and which caller it is of, where
// S3 logs it, and nobody can change that. S3 takes the URLs all the same.
func TestAttribution(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_ATTRIBUTION=true",
		"PRESIGN_OPERATIONS=GetObject,HeadObject,PutObject,DeleteObject,UploadPart")...)
	const arn = "arn:aws:sts::123456789012:assumed-role/web/alice"
	for i, test := range []struct{ method, request string }{
		{"PUT", `{"operation":"PUT","keys":["a/k"],"content_type":"text/plain","server_side_encryption":"AES256"}`},
		{"GET", `{"keys":["a/k"],"response_content_type":"x/y","request_payer":"requester"}`},
		{"GET", `{"keys":[{"key":"a/k","filename":"a b.txt"}]}`},
		{"GET", `{"keys":["a/k"],"format":"ndjson"}`},
		{"HEAD", `{"operation":"HEAD","keys":["a/k"]}`},
		{"DELETE", `{"operation":"DELETE","keys":["a/k"]}`},
		{"", `{"operation":"UploadPart","upload_id":"u","part_number":1,"keys":["a/k"]}`}, // there is no such upload
	} {
		answer := s.send(t, iamEvent(test.request, arn))
		record := s.records(t, i+1, "caller")[i]
		text, _, _ := strings.Cut(string(answer.body(t))[strings.Index(string(answer.body(t)), "http://"):], `"`)
		_, query, _ := strings.Cut(text, "?")
		query, signature, _ := strings.Cut(query, "&X-Amz-Signature=")
		want := "&x-presign-caller=" + record["caller"].(map[string]any)["hash"].(string) + "&x-presign-request=" + record["requestId"].(string)
		if !strings.HasSuffix(query, want) || !slices.IsSorted(strings.Split(query, "&")) || len(signature) != 64 {
			t.Errorf("%s: the query's end is not what was asked for, or it is not sorted", test.request)
		}
		if test.method == "" {
			continue
		}
		var headers map[string]string
		var body []byte
		if test.method == "PUT" {
			body = []byte("body")
			headers = map[string]string{"content-type": "text/plain", "x-amz-server-side-encryption": "AES256"}
		}
		use := func(u string) int {
			r, err := rawhttp.Do(t.Context(), test.method, u, headers, body)
			if err != nil {
				t.Fatal("S3 does not answer")
			}
			return r.Status
		}
		for _, changed := range []string{
			strings.Replace(text, "x-presign-caller=", "x-presign-caller=0", 1),
			strings.Replace(text, want, "", 1),
		} {
			if got := use(changed); got != 403 {
				t.Errorf("%s: status %d with a changed caller", test.request, got)
			}
		}
		if got := use(text); got/100 != 2 {
			t.Errorf("%s: status %d", test.request, got)
		}
	}
}
