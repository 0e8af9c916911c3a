package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"bulkpresign/internal/didyoumean"
	"bulkpresign/internal/s3op"
)

// role is what a column of a CSV, or a member of an object in JSON, is for.
type role uint8

const (
	unknownRole role = iota
	bucketRole
	keyRole
	uriRole     // an S3 URI, where there is no key beside it
	pathRole    // likewise, or a key: rclone's "Path"
	optionRole  // a signing option
	deletedRole // true: a delete marker, which is no object
	folderRole  // true: a folder, which is no object
	kindRole    // "folder" or "directory": likewise
	passedRole  // what S3 and its tools list beside a key
)

// roles are the names that lists have, in lower case and without spaces, hyphens and
// underscores. Names of signing options are known to s3op.
var roles = func() map[string]role {
	all := make(map[string]role)
	for r, names := range map[role]string{
		bucketRole:  "bucket bucketname",
		keyRole:     "key objectkey keyname",
		uriRole:     "uri url s3uri s3url s3path sourceref $path",
		pathRole:    "path",
		deletedRole: "isdeletemarker",
		folderRole:  "isdir",
		kindRole:    "type",
		// Members of ListObjectsV2 and ListObjectVersions, columns of S3 Inventory and of S3
		// Metadata's tables, and what HeadObject gives:
		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ObjectVersion.html
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
		passedRole: "size lastmodified lastmodifieddate etag owner ownerid ownerdisplayname displayname checksumalgorithm checksumtype " +
			"islatest restorestatus ismultipartuploaded replicationstatus encryptionstatus intelligenttieringaccesstier " +
			"bucketkeystatus objectaccesscontrollist objectowner lifecycleexpirationdate " +
			"acceptranges deletemarker restore missingmeta partscount archivestatus tagcount responsemetadata checksumcrc32 checksumcrc32c " +
			"checksumcrc64nvme checksumsha1 checksumsha256 contentlength expiration " +
			// mc ls --json, s5cmd ls --json, rclone lsjson, DuckDB's and Spark's own columns
			"status versionordinal versionindex name mimetype modtime tier isbucket encrypted origid hashes " +
			// and these, which are signing options by their own names where an operation has them
			"storageclass objectlockmode objectlockretainuntildate objectlocklegalholdstatus contenttype contentencoding contentlanguage " +
			"contentdisposition cachecontrol expires expiresstring metadata serversideencryption ssekmskeyid bucketkeyenabled " +
			"ssecustomeralgorithm ssecustomerkeymd5 websiteredirectlocation requestcharged",
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = r
		}
	}
	return all
}()

var plainName = strings.NewReplacer(" ", "", "-", "", "_", "")

// roleOf tells what a name is for, for an operation.
func roleOf(name string, op s3op.Operation) (role, s3op.ID) {
	name = strings.Trim(name, " \t")
	id, isOption := s3op.Lookup(strings.ToLower(name))
	if isOption && op.Has(id) {
		return optionRole, id
	}
	plain := plainName.Replace(strings.ToLower(name))
	switch plain {
	case "versionid", "version":
		return optionRole, versionID
	}
	if r, ok := roles[plain]; ok {
		return r, 0
	}
	if isOption {
		return optionRole, id // which the batch refuses, with the operations that have it
	}
	return unknownRole, 0
}

var safeName = regexp.MustCompile(`^[A-Za-z0-9 _.$-]{1,40}$`)

// shownName is a name from a list, if it can be shown as it is.
func shownName(name string) string {
	if safeName.MatchString(name) {
		return " (" + strconv.Quote(name) + ")"
	}
	return ""
}

// meant is what an unknown name of a column likely stands for, as the beginning of what to do; or it is "".
func meant(name string, op s3op.Operation) string {
	known := []string{"bucket", "key", "version_id"}
	for _, id := range s3op.Options() {
		if op.Has(id) {
			known = append(known, id.String())
		}
	}
	if likely := didyoumean.Name(name, known, words); likely != "" {
		return fmt.Sprintf("name it %q if that is meant, ", likely)
	}
	return ""
}

// words are what people call columns.
var words = didyoumean.Words{
	"object": "key", "file": "key", "filename": "key", "file_name": "key", "object_name": "key", "s3_key": "key", "keys": "key",
	"s3_bucket": "bucket", "bucket_id": "bucket", "source_bucket": "bucket", "version": "version_id", "object_version": "version_id",
}

// cutURI takes an S3 URI apart; s3a and s3n are Hadoop's and Spark's. Nothing in it is
// decoded. What lacks a bucket or a key is none.
func cutURI(text string) (bucket, key string, ok bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "s3" && scheme != "s3a" && scheme != "s3n" && scheme != "S3" {
		return "", "", false
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, bucket != "" && key != ""
}
