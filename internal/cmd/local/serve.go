package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// seeds are there from the start, so that the first URL shows something.
var seeds = map[string]string{
	"hello world.txt": "Hello from the stand-in S3.\n",
	"2026/05/star.svg": `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M5 0 8 10 0 4H10L2 10Z" fill="#c80"/></svg>
`,
}

// serve stays up until the context ends.
func serve(ctx context.Context, s setup, stdout io.Writer) error {
	m, err := startMachine(s)
	if err != nil {
		return err
	}
	defer m.close()
	for key, text := range seeds {
		if err := m.s3.Put(bucket, key, []byte(text)); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, `The pre-signer is up, with everything on this machine. Ctrl-C ends it, and everything in it is gone then.

  Page    %[1]s/   to try it in a browser: sign, upload, take a failing URL apart
  HTTP    %[1]s/presign   as API Gateway; callers are known as arn:aws:iam::000000000000:user/local
  Lambda  %[1]s   Invoke, for boto3 and aws-cli: %[5]s, %[6]s
  S3      %[2]s   verifies every signature; buckets %[3]s (signed for), %[7]s, %[8]s
  SQS     %[4]s

Ask for a URL to download from, and one to upload to (then: curl -T FILE 'URL'):

  curl -s %[1]s/presign -d '{"keys": ["hello world.txt", "../x"]}'
  curl -s %[1]s/presign -d '{"operation": "PutObject", "keys": ["new.txt"]}'
`, m.url, m.s3.Endpoint(), bucket, m.queueURL, apiName, jobsName, lists, results)
	if s.jobs != "" {
		fmt.Fprintf(stdout, `
Drop a list, list the results, and read one (KEY is in the second answer, and below):

  printf 'hello world.txt\n2026/05/star.svg\n' >keys.txt; curl -s --aws-sigv4 aws:amz:%[1]s:s3 --user %[2]s:%[3]s -T keys.txt '%[4]s/%[5]s/%[6]skeys.txt'
  curl -s --aws-sigv4 aws:amz:%[1]s:s3 --user %[2]s:%[3]s '%[4]s/%[7]s?list-type=2'
  curl -s --aws-sigv4 aws:amz:%[1]s:s3 --user %[2]s:%[3]s '%[4]s/%[7]s/KEY' | gunzip
`, region, visitor.AccessKeyID, visitor.SecretAccessKey, m.s3.Endpoint(), lists, drop, results)
	}
	queues := "" // without jobs there are none
	if m.queues != nil {
		queues = " AWS_ENDPOINT_URL_SQS=" + m.queues.Endpoint()
	}
	fmt.Fprintf(stdout, `
For aws-cli, boto3 and rclone:

  export AWS_ACCESS_KEY_ID=%[1]s AWS_SECRET_ACCESS_KEY=%[2]s AWS_REGION=%[3]s AWS_DEFAULT_REGION=%[3]s
  export AWS_ENDPOINT_URL_S3=%[4]s AWS_ENDPOINT_URL_LAMBDA=%[5]s%[6]s

All URLs end with the functions' credentials at %[7]s. A line for each request:

`, visitor.AccessKeyID, visitor.SecretAccessKey, region, m.s3.Endpoint(), m.url, queues, time.Now().Add(sessionLength).Format("15:04 on 2 January"))
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-m.results:
			m.tellResult(stdout, c.Key)
		}
	}
}

// tellResult says where a job's result is.
func (m *machine) tellResult(out io.Writer, summaryKey string) {
	s, err := m.summary(summaryKey)
	if err != nil {
		return
	}
	where := "s3://" + results + "/" + summaryKey
	if s.Result != nil {
		where = "s3://" + s.Result.Bucket + "/" + s.Result.Key
	}
	fmt.Fprintf(out, "          %s: %s\n", strings.TrimSuffix(summaryKey[strings.IndexByte(summaryKey, '/')+1:], "/summary.json"), where)
}

// summary is a job's summary.json, as far as this program looks at it.
type summary struct {
	Entries, Signed int
	Result          *struct{ Bucket, Key string }
	Error           *struct{ Code, Message string }
}

func (m *machine) summary(key string) (*summary, error) {
	text, err := m.s3.Get(results, key)
	if err != nil {
		return nil, err
	}
	s := new(summary)
	return s, json.Unmarshal(text, s)
}
