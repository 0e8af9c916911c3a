package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// serve stays up until the context ends. The function's log goes to stderr.
func serve(ctx context.Context, binary, addr string, stdout, stderr io.Writer) error {
	m, err := startMachine(binary, addr, stderr)
	if err != nil {
		return err
	}
	defer m.close()
	fmt.Fprintf(stdout, `The pre-signer is up, with everything on this machine:

  HTTP      %[1]s   stands in for API Gateway
  Function  %[2]s under a local Lambda runtime API
  S3        %[3]s   bucket %[4]s in memory; verifies every signature

Ask for a URL to upload to, and one to download from:

  curl -s %[1]s/presign -H 'content-type: application/json' \
    -d '{"operation": "PutObject", "keys": ["hello world.txt"]}'
  curl -s %[1]s/presign -H 'content-type: application/json' \
    -d '{"keys": ["hello world.txt", "../x"]}'

Then upload with   curl -T FILE 'URL'   and download with   curl 'URL'   (mind the quotes).
The function's credentials, and with them all URLs, end at %[5]s. Ctrl-C ends everything.
`, m.url, binary, m.s3.Endpoint(), bucket, time.Now().Add(sessionLength).Format("15:04 on 2 January"))
	<-ctx.Done()
	return nil
}
