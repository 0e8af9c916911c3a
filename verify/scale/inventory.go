package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"

	"bulkpresign/internal/check/sigv4verify"
	"bulkpresign/internal/standin/s3server"
)

// inventory is an S3 Inventory of made-up keys.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
type inventory struct {
	format      string // CSV or Parquet
	number      int    // in the keys
	files, rows int
}

func (v *inventory) folder() string   { return "manifests/scale/" + v.format }
func (v *inventory) manifest() string { return v.folder() + "/manifest.json" }

// key is an entry's: no two are the same, and some are awkward.
func (v *inventory) key(file, row int) string {
	awkward := [...]string{"photo", "a b+c", "été", "100%", "x&y=z", "😀", "q?#;", `"quoted",`, "日本語", "~-._"}
	return fmt.Sprintf("in/%d/%03d/%s/%08d.jpg", v.number, file, awkward[row%len(awkward)], row)
}

type row struct {
	Bucket string `parquet:"bucket"`
	Key    string `parquet:"key"`
}

// put writes the inventory into S3.
func (v *inventory) put(s *s3server.Server) error {
	var list []map[string]any
	for file := range v.files {
		var body bytes.Buffer
		name := fmt.Sprintf("%s/data/%03d.csv.gz", v.folder(), file)
		if v.format == "Parquet" {
			name = fmt.Sprintf("%s/data/%03d.parquet", v.folder(), file)
			w := parquet.NewGenericWriter[row](&body, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(200_000))
			for i := range v.rows {
				if _, err := w.Write([]row{{"photos", v.key(file, i)}}); err != nil {
					return err
				}
			}
			if err := w.Close(); err != nil {
				return err
			}
		} else {
			z, _ := gzip.NewWriterLevel(&body, gzip.BestSpeed)
			text := bufio.NewWriter(z)
			for i := range v.rows {
				fmt.Fprintf(text, "\"photos\",\"%s\"\n", url.QueryEscape(v.key(file, i))) // as S3 escapes them there
			}
			if err := errors.Join(text.Flush(), z.Close()); err != nil {
				return err
			}
		}
		if err := s.Put("lists", name, body.Bytes()); err != nil {
			return err
		}
		list = append(list, map[string]any{"key": name, "size": body.Len(), "MD5checksum": fmt.Sprintf("%x", md5.Sum(body.Bytes()))})
	}
	text, err := json.Marshal(map[string]any{
		"sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::lists", "fileFormat": v.format, "fileSchema": "Bucket, Key", "files": list,
	})
	if err != nil {
		return err
	}
	if err := s.Put("lists", v.folder()+"/manifest.checksum", fmt.Appendf(nil, "%x", md5.Sum(text))); err != nil {
		return err
	}
	return s.Put("lists", v.manifest(), text)
}

// parts are the ETags of what was signed.
func (w *world) parts(ctx context.Context) (map[string]string, error) {
	client := s3.New(s3.Options{Region: region, BaseEndpoint: aws.String(w.s3.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(w.credentials.AccessKeyID, w.credentials.SecretAccessKey, w.credentials.SessionToken)})
	etags := map[string]string{}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String("results")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, errors.New("the results cannot be listed")
		}
		for _, o := range page.Contents {
			if strings.HasSuffix(*o.Key, ".ndjson.gz") {
				etags[*o.Key] = *o.ETag + o.LastModified.String()
			}
		}
	}
	return etags, nil
}

// check holds the parts that a run's summary names against the inventory: file after file, entry after entry.
func (w *world) check(output string, v *inventory, samples int) (sampled int, err error) {
	var answer struct {
		Summary struct{ Bucket, Key string }
		Signed  int
	}
	if err := json.Unmarshal([]byte(output), &answer); err != nil {
		return 0, fmt.Errorf("the execution's output is no answer: %s", output)
	}
	text, err := w.s3.Get(answer.Summary.Bucket, answer.Summary.Key)
	if err != nil {
		return 0, err
	}
	var summary struct {
		Entries, Signed int
		Parts           []struct{ Bucket, Key string }
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		return 0, err
	}
	if want := v.files * v.rows; summary.Entries != want || summary.Signed != want || answer.Signed != want {
		return 0, fmt.Errorf("the summary has %d entries, %d signed, the output %d; want %d", summary.Entries, summary.Signed, answer.Signed, want)
	}
	file, row, step := 0, 0, max(1, v.files*v.rows/samples)
	for _, part := range summary.Parts {
		body, err := w.s3.Get(part.Bucket, part.Key)
		if err != nil {
			return 0, err
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if row == v.rows {
				file, row = file+1, 0
			}
			want := v.key(file, row)
			quoted, _ := json.Marshal(want)
			begin := fmt.Sprintf(`{"key":%s,"url":"`, strings.NewReplacer(`\u0026`, "&").Replace(string(quoted)))
			if !bytes.HasPrefix(lines.Bytes(), []byte(begin)) {
				return 0, fmt.Errorf("entry %d of file %d is another", row, file)
			}
			if (file*v.rows+row)%step == 0 {
				var e struct{ URL string }
				if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
					return 0, err
				}
				if err := sigv4verify.Verify(sigv4verify.Request{Method: "GET", URL: e.URL}, w.credentials.SecretAccessKey, region, "s3"); err != nil {
					return 0, fmt.Errorf("entry %d of file %d: %w", row, file, err)
				}
				sampled++
			}
			row++
		}
		if err := lines.Err(); err != nil {
			return 0, err
		}
	}
	if file != v.files-1 || row != v.rows {
		return 0, fmt.Errorf("the parts end at entry %d of file %d", row, file)
	}
	return sampled, nil
}
