// Straightforward is the function that one writes who follows the SDK's examples: the SDK's
// presigner in a loop, a map, encoding/json, compress/gzip.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

type request struct {
	Keys      []string `json:"keys"`
	ExpiresIn int      `json:"expires_in"`
}

type response struct {
	URLs map[string]string `json:"urls"`
}

type function struct {
	presigner *s3.PresignClient
	bucket    string
}

func main() {
	c, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	f := function{s3.NewPresignClient(s3.NewFromConfig(c)), os.Getenv("PRESIGN_BUCKETS")}
	lambda.Start(f.handle)
}

func (f function) handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	var in request
	if err := json.Unmarshal([]byte(event.Body), &in); err != nil {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, nil
	}
	out := response{make(map[string]string, len(in.Keys))}
	for _, key := range in.Keys {
		signed, err := f.presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(f.bucket), Key: aws.String(key)},
			s3.WithPresignExpires(time.Duration(in.ExpiresIn)*time.Second))
		if err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
		out.URLs[key] = signed.URL
	}
	body, err := json.Marshal(out)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	headers := map[string]string{"content-type": "application/json"}
	if !strings.Contains(event.Headers["accept-encoding"], "gzip") {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Headers: headers, Body: string(body)}, nil
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write(body) // a Buffer takes everything
	w.Close()
	headers["content-encoding"] = "gzip"
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK, Headers: headers, IsBase64Encoded: true,
		Body: base64.StdEncoding.EncodeToString(zipped.Bytes()),
	}, nil
}
