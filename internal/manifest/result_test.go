package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/manifest"
	"bulkpresign/internal/s3op"
)

// A line of an earlier result names what was signed: the key, and the version of its URL.
func TestEarlierResult(t *testing.T) {
	list := strings.Join([]string{
		`{"key":"a.jpg","url":"https://b.s3.eu-west-1.amazonaws.com/a.jpg?X-Amz-Algorithm=x&x-id=GetObject&X-Amz-Signature=0"}`,
		`{"key":"v \u00e9\"","url":"https://b/v?X-Amz-Algorithm=x&versionId=a%2Fb%2B.c&x-id=GetObject"}`,
		`{"key":"h","url":"https://b/h?x=1","headers":{"range":"bytes=0-1"},"object":{"size":1}}`,
		`{"key":"../x","error":{"code":"UnsafeKey","message":"line 3: ..."}}`,
		`{"key":"","error":{"code":"InvalidLine","message":"line 4: ..."}}`,
		`{"key":"versionId=1","url":"https://b/versionId=1?X-Amz-Algorithm=x"}`,
		`{"key":"p","part_number":3,"url":"https://b/p?X-Amz-Algorithm=x&partNumber=3&uploadId=u%3D%3D"}`,
		`{"key":"an item","filename":"x"}`,
	}, "\n")
	read := func(op s3op.Operation) (all [][]string) {
		r, err := manifest.Description{Format: manifest.JSONLines, Operation: op}.Read(strings.NewReader(list), manifest.Limits{})
		var e manifest.Entry
		for err == nil {
			if err = r.Next(&e); err == nil {
				one := []string{e.Key}
				if e.Err != nil {
					one = append(one, "error: "+e.Err.Error())
				}
				for _, o := range e.Options {
					one = append(one, o.ID.String()+"="+o.Value)
				}
				all = append(all, one)
			}
		}
		return all
	}
	noKey := "error: the line of the earlier result has no key: the list that it was made of could not be read there"
	want := [][]string{{"a.jpg"}, {`v é"`, "version_id=a/b+.c"}, {"h"}, {"../x"}, {"", noKey}, {"versionId=1"}, {"p"}, {"an item", "filename=x"}}
	if diff := cmp.Diff(want, read(s3op.GetObject)); diff != "" {
		t.Error(diff)
	}
	want[1], want[6] = []string{`v é"`}, []string{"p", "part_number=3", "upload_id=u=="}
	if diff := cmp.Diff(want[:7], read(s3op.UploadPart)[:7]); diff != "" {
		t.Error(diff)
	}
}
