package manifest_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/manifest"
	"bulkpresign/internal/s3op"
)

// Lists as tools write them. Those of pandas are what pandas 3.1 wrote; the others are
// written as the tools' documentation and sources show them.
func TestToolOutput(t *testing.T) {
	a, b := line{Bucket: "photos", Key: "a.jpg"}, line{Bucket: "photos", Key: "b c.jpg"}
	onlyKeys := []line{{Key: "a.jpg"}, {Key: "b c.jpg"}}
	for _, test := range []struct {
		from string // which tool, and how
		list manifest.Description
		text string
		want []line // but for the numbers of lines
	}{
		{"Athena, SELECT bucket, key, size, last_modified_date FROM inventory", manifest.Description{Format: manifest.CSV},
			"\"bucket\",\"key\",\"size\",\"last_modified_date\"\n\"photos\",\"a.jpg\",\"5\",\"2026-11-01 08:00:00.000\"\n\"photos\",\"b c.jpg\",\"7\",\"2026-11-01 08:00:00.000\"\n", []line{a, b}},
		{"Athena on an inventory table, all of its columns", manifest.Description{Format: manifest.CSV},
			"bucket,key,version_id,is_latest,is_delete_marker,size,last_modified_date,e_tag,storage_class,is_multipart_uploaded,replication_status,encryption_status,object_lock_retain_until_date,object_lock_mode,object_lock_legal_hold_status,intelligent_tiering_access_tier,bucket_key_status,checksum_algorithm,object_access_control_list,object_owner,dt\n" +
				"photos,a.jpg,,true,false,5,2026-11-01,x,STANDARD,false,,SSE-S3,,,,,DISABLED,,,,\n",
			nil}, // dt is the table's own partition
		{"a spreadsheet in Germany: semicolons", manifest.Description{Format: manifest.CSV}, "Key;Size\r\na.jpg;5\r\nb c.jpg;7\r\n", onlyKeys},
		{"a spreadsheet's own separator line", manifest.Description{Format: manifest.CSV}, "sep=;\r\nbucket;key\r\nphotos;a.jpg\r\nphotos;b c.jpg\r\n", []line{a, b}},
		{"a spreadsheet with empty columns at the end", manifest.Description{Format: manifest.CSV}, "bucket,key,,\nphotos,a.jpg,,\nphotos,b c.jpg,,\n", []line{a, b}},
		{"the same without a header", manifest.Description{Format: manifest.CSV}, "photos,a.jpg,,,\nphotos,b c.jpg,,,\n", []line{a, b}},
		{"a spreadsheet's tabs, .tsv", manifest.Description{Format: manifest.CSV}, "bucket\tkey\tLastModified\nphotos\ta.jpg\tx\nphotos\tb c.jpg\ty\n", []line{a, b}},
		{"psql -A -F $'\\t' -t", manifest.Description{Format: manifest.CSV}, "photos\ta.jpg\nphotos\tb c.jpg\n", []line{a, b}},
		{"semicolons without a header", manifest.Description{Format: manifest.CSV}, "photos;a.jpg\nphotos;b c.jpg\n", []line{a, b}},
		{"pandas, df.to_csv(path), with its index", manifest.Description{Format: manifest.CSV}, ",bucket,key\n0,photos,a.jpg\n1,photos,b c.jpg\n", []line{a, b}},
		{"a database's id, told to be ignored", manifest.Description{Format: manifest.CSV, PassExtra: true}, "id,bucket,key\n1,photos,a.jpg\n2,photos,b c.jpg\n", []line{a, b}},
		{"by hand, with a space behind each comma", manifest.Description{Format: manifest.CSV}, "bucket, key\nphotos, a.jpg\nphotos, b c.jpg\n", []line{a, b}},
		{"boto3, csv.DictWriter of Contents", manifest.Description{Format: manifest.CSV}, "Key,LastModified,ETag,ChecksumAlgorithm,Size,StorageClass,Owner\r\na.jpg,2026-11-01 08:00:00+00:00,\"\"\"5d41\"\"\",\"['CRC64NVME']\",5,STANDARD,\r\nb c.jpg,2026-11-01 08:00:00+00:00,\"\"\"5d41\"\"\",,7,STANDARD,\r\n", onlyKeys},

		{"aws s3api list-objects-v2 | jq -c '.Contents[]'", manifest.Description{Format: manifest.JSONLines},
			`{"Key":"a.jpg","LastModified":"2026-11-01T08:00:00+00:00","ETag":"\"5d41\"","ChecksumAlgorithm":["CRC64NVME"],"ChecksumType":"FULL_OBJECT","Size":5,"StorageClass":"STANDARD"}` + "\n" +
				`{"Key":"b c.jpg","LastModified":"2026-11-01T08:00:00+00:00","ETag":"\"5d41\"","Size":7,"StorageClass":"STANDARD","Owner":{"DisplayName":"me","ID":"1"}}` + "\n", onlyKeys},
		{"aws s3api list-object-versions | jq -c '.Versions[]'", manifest.Description{Format: manifest.JSONLines},
			`{"ETag":"\"5d41\"","Size":5,"StorageClass":"STANDARD","Key":"a.jpg","VersionId":"null","IsLatest":true,"LastModified":"2026-11-01T08:00:00+00:00"}` + "\n",
			[]line{{Key: "a.jpg", Options: "version_id=null"}}},
		{"jq with a bucket", manifest.Description{Format: manifest.JSONLines}, `{"bucket":"photos","key":"a.jpg"}` + "\n" + `{"Bucket":"photos","Key":"b c.jpg","VersionId":null}` + "\n", []line{a, b}},
		{"s5cmd --json ls", manifest.Description{Format: manifest.JSONLines},
			`{"key":"s3://photos/a.jpg","etag":"5d41","last_modified":"2026-11-01T08:00:00Z","type":"file","size":5,"storage_class":"STANDARD"}` + "\n" +
				`{"key":"s3://photos/b c.jpg","etag":"5d41","last_modified":"2026-11-01T08:00:00Z","type":"file","size":7,"storage_class":"STANDARD"}` + "\n" +
				`{"key":"s3://photos/d/","type":"directory","size":0}` + "\n", []line{a, b}},
		{"mc ls --recursive --json", manifest.Description{Format: manifest.JSONLines},
			`{"status":"success","type":"file","lastModified":"2026-11-01T08:00:00Z","size":5,"key":"a.jpg","etag":"5d41","url":"https://play.min.io/photos/","versionOrdinal":1,"storageClass":"STANDARD"}` + "\n" +
				`{"status":"success","type":"folder","lastModified":"2026-11-01T08:00:00Z","size":0,"key":"d/","etag":"","url":"https://play.min.io/photos/","versionOrdinal":1}` + "\n", onlyKeys[:1]},
		{"SageMaker's augmented manifest", manifest.Description{Format: manifest.JSONLines, PassExtra: true},
			`{"source-ref":"s3://photos/a.jpg","class":0,"class-metadata":{"confidence":1}}` + "\n" + `{"source-ref":"s3://photos/b c.jpg","class":1}` + "\n", []line{a, b}},
		{"joined JSON Lines with a mark and a Ctrl-Z", manifest.Description{Format: manifest.JSONLines}, "\"a.jpg\"\n\ufeff\"b c.jpg\"\n\x1a", onlyKeys},

		{"aws s3api list-objects-v2, whole", manifest.Description{Format: manifest.Request},
			"{\n    \"Contents\": [\n        {\n            \"Key\": \"a.jpg\",\n            \"LastModified\": \"2026-11-01T08:00:00+00:00\",\n            \"ETag\": \"\\\"5d41\\\"\",\n            \"Size\": 5,\n            \"StorageClass\": \"STANDARD\"\n        },\n        {\n            \"Key\": \"b c.jpg\",\n            \"Size\": 7\n        }\n    ],\n    \"RequestCharged\": null,\n    \"Prefix\": \"\"\n}\n", onlyKeys},
		{"boto3, json.dumps of list_objects_v2, page after page", manifest.Description{Format: manifest.Request},
			`{"ResponseMetadata": {"RequestId": "1", "HTTPHeaders": {"server": "AmazonS3"}, "RetryAttempts": 0}, "IsTruncated": true, "Contents": [{"Key": "a.jpg", "Size": 5}], "Name": "photos", "MaxKeys": 1}` +
				`{"IsTruncated": false, "Contents": [{"Key": "b c.jpg", "Size": 7}], "KeyCount": 1}`, onlyKeys},
		{"rclone lsjson --recursive", manifest.Description{Format: manifest.Request},
			"[\n{\"Path\":\"a.jpg\",\"Name\":\"a.jpg\",\"Size\":5,\"MimeType\":\"image/jpeg\",\"ModTime\":\"2026-11-01T08:00:00Z\",\"IsDir\":false,\"Tier\":\"STANDARD\"},\n{\"Path\":\"d\",\"Name\":\"d\",\"Size\":-1,\"IsDir\":true},\n{\"Path\":\"b c.jpg\",\"Name\":\"b c.jpg\",\"Size\":7,\"IsDir\":false}\n]\n", onlyKeys},
		{"json.dumps of a list of keys", manifest.Description{Format: manifest.Request}, `["a.jpg", "b c.jpg"]`, onlyKeys},
		{"pandas, df.to_json(orient='records')", manifest.Description{Format: manifest.Request}, `[{"bucket":"photos","key":"a.jpg"},{"bucket":"photos","key":"b c.jpg"}]`, []line{a, b}},

		{"S3 URIs, one a line", manifest.Description{}, "s3://photos/a.jpg\ns3://photos/b c.jpg\n", []line{a, b}},
		{"Spark, input_file_name() of s3a", manifest.Description{}, "s3a://photos/a.jpg\ns3a://photos/b c.jpg\n", []line{a, b}},
		{"Athena, SELECT DISTINCT \"$path\"", manifest.Description{Format: manifest.CSV}, "\"$path\"\n\"s3://photos/a.jpg\"\n\"s3://photos/b c.jpg\"\n", []line{a, b}},
		{"pandas, one column named s3_uri", manifest.Description{Format: manifest.CSV}, ",s3_uri\n0,s3://photos/a.jpg\n1,s3://photos/b c.jpg\n", []line{a, b}},
		{"URIs alone in a .csv", manifest.Description{Format: manifest.CSV}, "s3://photos/a.jpg\ns3://photos/b c.jpg\n", []line{a, b}},
		{"URIs as strings in JSON Lines", manifest.Description{Format: manifest.JSONLines}, "\"s3://photos/a.jpg\"\n\"s3://photos/b c.jpg\"\n", []line{a, b}},
		{"told to be URIs, and one is none", manifest.Description{Keys: manifest.URI}, "a.jpg\ns3://photos/b c.jpg\ns3://photos\n", []line{{Err: "write s3://BUCKET/KEY"}, b, {Err: "write s3://BUCKET/KEY"}}},

		{"a CSV file of an Inventory alone, current versions", manifest.Description{Format: manifest.InventoryPart, Keys: manifest.FormEncoded},
			"\"photos\",\"a.jpg\",\"5\",\"2026-11-01T08:00:00.000Z\",\"5d41\",\"STANDARD\"\n\"photos\",\"b+c.jpg\",\"7\",\"2026-11-01T08:00:00.000Z\",\"5d41\",\"STANDARD\"\n", []line{a, b}},
		{"the same, all versions", manifest.Description{Format: manifest.InventoryPart, Keys: manifest.FormEncoded},
			"\"photos\",\"a.jpg\",\"v1\",\"true\",\"false\",\"5\"\n\"photos\",\"gone\",\"v2\",\"true\",\"true\",\"\"\n", []line{{Bucket: "photos", Key: "a.jpg", Options: "version_id=v1"}}},
		{"a report of S3 Batch Operations", manifest.Description{Format: manifest.BatchReport, Keys: manifest.Percent},
			"photos,a.jpg,,succeeded,200,,Successful\nphotos,b%20c.jpg,,failed,403,AccessDenied,\"no, not this\"\n", []line{a, b}},

		{"# comments in a CSV", manifest.Description{Format: manifest.CSV}, "# made on Monday\nbucket,key\nphotos,a.jpg\n# the rest\nphotos,b c.jpg\n", []line{a, b}},
		{"two CSVs with marks, joined", manifest.Description{Format: manifest.CSV}, "\ufeffphotos,a.jpg\n\ufeffphotos,b c.jpg\n\x1a", []line{a, b}},
		{"DOS's end of a text", manifest.Description{}, "a.jpg\r\nb c.jpg\r\n\x1a", onlyKeys},
		{"three columns, the third no version", manifest.Description{Format: manifest.CSV}, "photos,a,b.jpg\nphotos,a.jpg\nphotos,a,1024\nphotos,b c.jpg,3HL4kqtJvjVBH40Nrjfkd\n",
			[]line{{Err: "no version ID"}, a, {Err: "no version ID"}, {Bucket: "photos", Key: "b c.jpg", Options: "version_id=3HL4kqtJvjVBH40Nrjfkd"}}},
	} {
		t.Run(test.from, func(t *testing.T) {
			if test.want == nil {
				test.list.PassExtra = true
				test.want = []line{a}
			}
			for how, read := range map[string]func() (*manifest.Reader, error){
				"at once": func() (*manifest.Reader, error) {
					return test.list.Read(strings.NewReader(test.text), manifest.Limits{})
				},
				"byte by byte": func() (*manifest.Reader, error) {
					return test.list.Read(iotest.OneByteReader(strings.NewReader(test.text)), manifest.Limits{})
				},
				"gzip": func() (*manifest.Reader, error) {
					return test.list.Read(bytes.NewReader(gzipped(test.text)), manifest.Limits{})
				},
			} {
				got, err := readAll(read())
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				last := int64(0)
				for i := range got {
					if got[i].Line < last {
						t.Errorf("%s: line %d follows %d", how, got[i].Line, last)
					}
					last, got[i].Line = got[i].Line, 0
					if i < len(test.want) && test.want[i].Err != "" && strings.Contains(got[i].Err, test.want[i].Err) {
						got[i].Err = test.want[i].Err
					}
				}
				if d := cmp.Diff(test.want, got); d != "" {
					t.Errorf("%s (-want +got):\n%s", how, d)
				}
			}
		})
	}
}

// What cannot be used as a list is refused before anything of it is signed, with what to
// do instead.
func TestNoList(t *testing.T) {
	utf16 := func(text string) string {
		var b strings.Builder
		for _, c := range []byte(text) {
			b.Write([]byte{c, 0})
		}
		return b.String()
	}
	csv := manifest.CSV
	for _, test := range []struct {
		from   string
		format manifest.Format
		text   string
		reason string
	}{
		{"aws s3 ls --recursive s3://photos", manifest.Text, "2026-11-01 08:00:00          5 a.jpg\n2026-11-01 08:00:00    7340032 b c.jpg\n", "aws s3api list-objects-v2"},
		{"aws s3 ls --recursive --human-readable --summarize", manifest.Text, "2026-11-01 08:00:00    5 Bytes a.jpg\n2026-11-01 08:00:00    7.0 MiB b c.jpg\n\nTotal Objects: 2\n   Total Size: 7.0 MiB\n", "aws s3api list-objects-v2"},
		{"aws s3 ls s3://photos", csv, "                           PRE d/\n2026-11-01 08:00:00          5 a.jpg\n", "aws s3api list-objects-v2"},
		{"s3cmd ls s3://photos", manifest.Text, "                          DIR  s3://photos/d/\n2026-11-01 08:00            5  s3://photos/a.jpg\n", "s3cmd"},
		{"s5cmd ls s3://photos/*", manifest.Text, "2026/11/01 08:00:00                 5  a.jpg\n                                  DIR  d/\n", "s5cmd --json ls"},
		{"mc ls play/photos", manifest.Text, "[2026-11-01 08:00:00 UTC]     5B STANDARD a.jpg\n[2026-11-01 08:00:00 UTC] 7.0MiB STANDARD b c.jpg\n", "mc ls --recursive --json"},
		{"rclone ls remote:photos", manifest.Text, "        5 a.jpg\n  7340032 b c.jpg\n", "rclone lsf"},
		{"rclone lsl remote:photos", manifest.Text, "        5 2026-11-01 08:00:00.000000000 a.jpg\n", "rclone lsf"},
		{"rclone lsf --format sp", manifest.Text, "5;a.jpg\n7340032;b c.jpg\n-1;d/\n", "rclone lsf"},
		{"rclone lsf --format tsp", manifest.Text, "2026-11-01 08:00:00;5;a.jpg\n", "rclone lsf"},
		{"gsutil ls gs://photos", manifest.Text, "gs://photos/a.jpg\ngs://photos/b c.jpg\n", "Google Cloud Storage"},
		{"text/uri-list (RFC 2483)", manifest.Text, "# a list\r\nhttps://photos.s3.amazonaws.com/a.jpg\r\nhttps://photos.s3.amazonaws.com/b.jpg\r\n", "text/uri-list"},
		{"JSON Lines named .txt", manifest.Text, `{"key":"a.jpg"}` + "\n" + `{"key":"b.jpg"}` + "\n", ".jsonl"},
		{"Notepad's Unicode, with a mark", manifest.Text, "\xff\xfea\x00.\x00j\x00p\x00g\x00\n\x00", "UTF-16"},
		{"the same, big-endian", csv, "\xfe\xff\x00a\x00\n", "UTF-16"},
		{"PowerShell > without a mark", manifest.Text, utf16("a.jpg\r\nb.jpg\r\n"), "UTF-16"},
		{"an old Mac, CR alone", manifest.Text, "a.jpg\rb.jpg\r", "CR alone"},
		{"the same, CSV", csv, "bucket,key\rphotos,a.jpg", "CR alone"},
		{"find -print0", manifest.Text, "a.jpg\x00b.jpg\x00", "NUL"},
		{"bars", csv, "bucket|key\nphotos|a.jpg\n", "separate them with"},
		{"bars by sep=", csv, "sep=|\nbucket|key\n", "separate them with"},
		{"Hive's \\x01", csv, "photos\x01a.jpg\n", "separate them with"},
		{"zip", manifest.Text, "PK\x03\x04\x14\x00\x00\x00\x00\x00keys.txta.jpg\nb.jpg\n", "zip archive"},
		{"xlsx", csv, "PK\x03\x04\x14\x00\x06\x00\x08\x00[Content_Types].xml", "Excel workbook"},
		{"xls", csv, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", "old Excel"},
		{"bzip2", manifest.Text, "BZh91AY&SY\x00\x00", "bzip2"},
		{"xz", manifest.Text, "\xfd7zXZ\x00\x00\x04", "xz"},
		{"gzip twice", manifest.Text, string(gzipped(string(gzipped("a.jpg\n")))), "gzip twice"},
		{"zstd in gzip", manifest.Text, string(gzipped(string(zstded("a.jpg\n")))), "compressed twice"},
		{"zip in gzip", manifest.Text, string(gzipped("PK\x03\x04\x14\x00a.jpg\n")), "zip archive"},
		{"ORC", csv, "ORC\x0a\x00\x00\x01\x02", "ORC"},
		{"Avro", csv, "Obj\x01\x04", "Avro"},
		{"Parquet named .csv", csv, "PAR1\x15\x00", ".parquet"},
		{"an answer of S3", manifest.Text, `<?xml version="1.0" encoding="UTF-8"?>` + "\n<ListBucketResult>", "XML"},
		{"a header without a key", csv, "bucket,name,size\nphotos,a.jpg,1\n", `no column "key"`},
		{"an unknown column", csv, "bucket,key,colour\nphotos,a.jpg,red\n", `("colour")`},
		{"an unknown column with a name that is not to be shown", csv, "bucket,key,<b>\nphotos,a.jpg,red\n", "column 3 of the header has a name"},
		{"a column that is nearly known", csv, "bucket,key,verson_id\nphotos,a.jpg,v\n", `name it "version_id" if that is meant`},
		{"an option in S3's own spelling, mistyped", csv, "key,responseContentTpye\na.jpg,text/plain\n", `name it "response_content_type" if that is meant`},
		{"id before bucket and key", csv, "id,bucket,key\n1,photos,a.jpg\n", "presign-extra-columns"},
		{"an unknown column before key", csv, "index,key\n1,a.jpg\n2,b.jpg\n", `column 1 of the header ("index")`},
		{"an answer that is cut short", manifest.Request, `{"Contents":[{"Key":"a.jpg"},{"Key":`, "ends too early"},
		{"an array without commas", manifest.Request, `["a.jpg" "b.jpg"]`, "not valid JSON"},
	} {
		t.Run(test.from, func(t *testing.T) {
			_, err := readAll(manifest.NewReader(strings.NewReader(test.text), test.format, manifest.Plain, manifest.Limits{}))
			var broken *manifest.BrokenError
			if !errors.As(err, &broken) || !strings.Contains(broken.Reason, test.reason) || len(broken.Reason) > 300 {
				t.Errorf("%v", err)
			}
		})
	}
}

// What may be a key is signed as one, with a warning.
func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		format manifest.Format
		text   string
		want   string // key: part of the warning
	}{
		{manifest.Text, "# made on Monday\na.jpg\n", "begins with #"},
		{manifest.Text, "Key\na.jpg\n", "column's name"},
		{manifest.Text, "\"a.jpg\"\n", "quotation marks"},
		{manifest.Text, "a.jpg\n\ufeffb.jpg\n", "byte order mark"},
		{manifest.Text, "a.jpg\x1a\nb.jpg\n", "Ctrl-Z"},
		{manifest.CSV, "key\n#a.jpg\n", "begins with #"},
		{manifest.CSV, "key\na.jpg\n\ufeffb.jpg\n", "byte order mark"},
		{manifest.Text, "a.jpg\n a\"b.jpg\nKey\nc#.jpg\n", ""},
	} {
		r, err := manifest.NewReader(strings.NewReader(test.text), test.format, manifest.Plain, manifest.Limits{})
		found := ""
		for err == nil {
			var e manifest.Entry
			if err = r.Next(&e); err == nil && (e.Err != nil || e.Key == "") {
				t.Errorf("%q: %v", test.text, e.Err)
			}
			found += e.Warning
		}
		if !strings.Contains(found, test.want) || (found == "") != (test.want == "") {
			t.Errorf("%q: %q", test.text, found)
		}
	}
}

// A request is told from a list by its first members, and is read whole.
func TestRequestOrList(t *testing.T) {
	for text, isRequest := range map[string]bool{
		`{"keys":["a"]}`: true, `{}`: true, ``: true, `{"Key":"a"}`: true, `hello`: true, `{"keys":["Contents"]}`: true,
		` ["a"]`: false, `{"Contents":[]}`: false, `{"RequestCharged":null}`: false,
	} {
		for _, list := range []string{text, string(gzipped(text))} {
			r, err := manifest.NewReader(iotest.OneByteReader(strings.NewReader(list)), manifest.Request, manifest.Plain, manifest.Limits{})
			if err != nil || r.IsRequest() != isRequest {
				t.Errorf("%q: %v", text, err)
				continue
			}
			if got, err := r.Text(100); isRequest && (err != nil || string(got) != text) {
				t.Errorf("%q: %q, %v", text, got, err)
			}
		}
	}
	long := `{"keys":["` + strings.Repeat("a", 1<<20) + `"]}`
	r, err := manifest.NewReader(strings.NewReader(long), manifest.Request, manifest.Plain, manifest.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Text(2 << 20); err != nil || string(got) != long {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r, _ = manifest.NewReader(strings.NewReader(long), manifest.Request, manifest.Plain, manifest.Limits{})
	if _, err := r.Text(1 << 20); err == nil {
		t.Error("a request over the limit is read")
	}
}

// A storage class beside a key is an option when objects are put, and else what S3 lists.
func TestStorageClass(t *testing.T) {
	const text = "key,storage_class\na,STANDARD_IA\n"
	for op, want := range map[s3op.Operation]string{s3op.GetObject: "", s3op.PutObject: "storage_class=STANDARD_IA"} {
		got, err := readAll(manifest.Description{Format: manifest.CSV, Operation: op}.Read(strings.NewReader(text), manifest.Limits{}))
		if err != nil || len(got) != 1 || got[0].Options != want {
			t.Errorf("%s: %+v, %v", op, got, err)
		}
	}
}
