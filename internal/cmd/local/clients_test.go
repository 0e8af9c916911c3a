package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/botooracle"
)

// boto3 as people use it: with the credentials and endpoints that make local prints, and nothing else.
const boto3Client = `
import gzip, json, sys, time, urllib.request
import boto3

s3, functions = boto3.client("s3"), boto3.client("lambda")
said = {}

def invoke(name, request):
    r = functions.invoke(FunctionName=name, Payload=json.dumps(request))
    return r.get("FunctionError"), json.loads(r["Payload"].read())

s3.put_object(Bucket="photos", Key="a b.txt", Body=b"by boto3")
failed, answer = invoke("bulkpresign-api", {"keys": ["a b.txt"]})
said["read"] = urllib.request.urlopen(answer["urls"]["a b.txt"]).read().decode()
said["failed"], problem = invoke("bulkpresign-api", {"keys": []})
said["type"] = problem["errorType"]
try:
    invoke("nobody", {})
except functions.exceptions.ResourceNotFoundException as e:
    said["unknown"] = e.response["Error"]["Message"]

s3.put_object(Bucket="lists", Key="manifests/keys.txt", Body=b"a b.txt\n../x\n")
for _ in range(200):
    found = [o["Key"] for o in s3.list_objects_v2(Bucket="results").get("Contents", []) if o["Key"].endswith("/summary.json")]
    if found:
        break
    time.sleep(0.05)
summary = json.load(s3.get_object(Bucket="results", Key=found[0])["Body"])
said["signed"] = summary["signed"]
result = gzip.decompress(s3.get_object(Bucket="results", Key=summary["result"]["key"])["Body"].read())
url = json.loads(result.splitlines()[0])["url"]
said["read by a job"] = urllib.request.urlopen(url).read().decode()

boto3.client("sqs", endpoint_url=sys.argv[1]).send_message(QueueUrl=sys.argv[2], MessageBody=json.dumps({"keys": ["a b.txt"]}))
for _ in range(200):
    if len([o for o in s3.list_objects_v2(Bucket="results").get("Contents", []) if o["Key"].endswith("/summary.json")]) == 2:
        said["queue"] = "done"
        break
    time.sleep(0.05)
print(json.dumps(said))
`

// A newcomer's own tools work on the machine: boto3 stores and reads, calls a function by Lambda's API, and drops a
// list; a message to the queue is done.
func TestBoto3(t *testing.T) {
	botooracle.Require(t)
	m, err := startMachine(whole(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	python, err := filepath.Abs(filepath.Join(root, ".cache", "boto3", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", boto3Client, m.queues.Endpoint(), m.queueURL)
	cmd.Env = []string{
		"AWS_ACCESS_KEY_ID=" + visitor.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + visitor.SecretAccessKey, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ENDPOINT_URL_S3=" + m.s3.Endpoint(), "AWS_ENDPOINT_URL_LAMBDA=" + m.url, "AWS_CONFIG_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		last := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		t.Fatalf("%v: %s", err, last[len(last)-1])
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"read": "by boto3", "failed": "Unhandled", "type": "InvalidRequest", "unknown": "Function not found: nobody",
		"signed": 1.0, "read by a job": "by boto3", "queue": "done"}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %v, want %v", name, got[name], value)
		}
	}
}

// What serve takes from the command line reaches the functions, and a port that is taken is told.
func TestSettings(t *testing.T) {
	s := whole(t)
	s.jobs = "" // not needed here
	var said lockedBuffer
	s.log = lines{&said}
	s.operations, s.origins = "HEAD", "https://page.example"
	s.policy = filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(s.policy, []byte(`{"rules": [{"name": "mine", "effect": "allow", "callers": "*", "prefixes": ["mine/"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := startMachine(s)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	post := func(body string) string {
		r, _ := http.NewRequest("POST", m.url+"/presign", strings.NewReader(body))
		r.Header.Set("Origin", "https://page.example")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.Header.Get("Access-Control-Allow-Origin") != "https://page.example" {
			t.Error("the page may not read the answer")
		}
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
	if got := post(`{"operation": "GET", "keys": ["mine/a"]}`); !strings.Contains(got, "OperationNotAllowed") {
		t.Error("GET is signed")
	}
	if got := post(`{"operation": "HEAD", "keys": ["mine/a", "a"]}`); !strings.Contains(got, `"a":{"code":"KeyNotAllowed"`) || !strings.Contains(got, `"mine/a":"http`) {
		t.Error("the policy is not heeded")
	}
	for deadline := time.Now().Add(5 * time.Second); said.lines() < 2 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if n := said.lines(); n != 2 || strings.Contains(said.text.String(), "{") {
		t.Errorf("%d lines of two requests, want one of each:\n%s", n, &said.text)
	}
	s.addr = strings.TrimPrefix(m.url, "http://")
	if _, err := startMachine(s); err == nil || !strings.Contains(err.Error(), "make local PORT=") {
		t.Errorf("a port that is taken: %v", err)
	}
}

func (b *lockedBuffer) lines() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), "\n")
}

// A record becomes one short line; what is no news is left out, and what is no record passes.
func TestLines(t *testing.T) {
	tests := []struct{ record, want string }{
		{`{"timestamp":"T","level":"INFO","message":"request","FunctionName":"bulkpresign-api","source":"http","operation":"GetObject","KeysRequested":3,"KeysSigned":1,"KeysRefused":2,"RefusedUnsafeKey":2,"Duration":1.24}`,
			"api      http   GetObject     1 of 3 keys signed, 2 UnsafeKey  (1.2 ms)\n"},
		{`{"level":"INFO","message":"request","source":"direct","code":"InvalidRequest","detail":"why"}`, "direct               InvalidRequest: why  (0.0 ms)\n"},
		{`{"level":"INFO","message":"passed over"}`, ""},
		{`{"level":"ERROR","message":"panic","cause":"x"}`, "ERROR: panic x\n"},
		{`{"level":"ERROR","message":"the configuration is not valid","problems":["PRESIGN_X is not set"]}`, "ERROR: the configuration is not valid [PRESIGN_X is not set]\n"},
		{"plain\n", "plain\n"},
	}
	for _, tt := range tests {
		if got := short([]byte(tt.record)); !strings.HasSuffix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%q, want %q at the end", got, tt.want)
		}
	}
}
