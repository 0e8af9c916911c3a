// Signed calls the service with IAM, by the SDK's signer. Needs PRESIGN_URL, AWS_REGION, and credentials where the SDK
// finds them: go run examples/snippets/signed.go
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		log.Fatal(err)
	}
	body := []byte(`{"keys": ["hello world.txt", "2026/05/star.svg"], "expires_in": 300}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("PRESIGN_URL"), bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "execute-api", cfg.Region, time.Now()); err != nil {
		log.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		URLs         map[string]string
		Errors       map[string]struct{ Code, Message string }
		Code, Detail string // of a problem
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	if answer.Code != "" {
		log.Fatalf("%s: %s", answer.Code, answer.Detail)
	}
	for key, e := range answer.Errors {
		log.Fatalf("%s: %s: %s", key, e.Code, e.Message)
	}
	for _, url := range answer.URLs {
		fmt.Println(url)
	}
}
