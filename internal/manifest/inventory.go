package manifest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Inventory is what an S3 Inventory's manifest.json says.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
type Inventory struct {
	SourceBucket string // whose keys are listed
	Bucket       string // where the shards lie
	Shards       []Shard

	// Parquet shards are read with OpenParquet, the others, which are CSV in gzip, with
	// OpenCSV.
	Parquet bool
	Schema  string // of CSV: the names of its columns, with commas between them

	columns []column // of CSV
}

// Ready makes an Inventory of which Parquet, or else Schema, and the buckets are known fit to
// open its shards.
func (v *Inventory) Ready() error {
	if v.Parquet {
		return nil
	}
	if v.columns = schemaColumns(v.Schema); len(v.columns) == 0 {
		return &BrokenError{File: "manifest.json", Reason: `its "fileSchema" has no column Key`}
	}
	return nil
}

// Shard is one file of an inventory.
type Shard struct {
	Key  string
	Size int64 // bytes
	MD5  [md5.Size]byte
}

// ChecksumKey is where the checksum of a manifest.json lies.
func ChecksumKey(manifest string) string { return strings.TrimSuffix(manifest, "json") + "checksum" }

// InventoryArrival tells what an object is that came to lie where lists do, by its key in
// the layout of an S3 Inventory. S3 writes the manifest.checksum last, so its arrival says
// that the inventory is complete: manifest is then the key of its manifest.json. The
// other parts, the manifest.json itself included, are nothing to act upon: their manifest
// is empty. A manifest.json that lies elsewhere is no part in this sense, but a list.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
func InventoryArrival(key string) (manifest string, isPart bool) {
	folders := strings.Split(key, "/")
	name := folders[len(folders)-1]
	folders = folders[:len(folders)-1]
	parent := func(i int) string {
		if i >= len(folders) {
			return ""
		}
		return folders[len(folders)-1-i]
	}
	_, err := time.Parse("2006-01-02T15-04Z", parent(0))
	isReport := err == nil
	switch {
	case name == "manifest.checksum" && isReport:
		return strings.TrimSuffix(key, "checksum") + "json", true
	case name == "manifest.checksum", name == "manifest.json" && isReport:
		return "", true
	case name == "symlink.txt" && strings.HasPrefix(parent(0), "dt=") && parent(1) == "hive":
		return "", true
	}
	// bucket/configuration/data/UUID.csv.gz
	stem, extension, _ := strings.Cut(name, ".")
	isShard := extension == "csv.gz" || extension == "parquet" || extension == "orc"
	return "", isShard && parent(0) == "data" && len(folders) >= 3 && isUUID(stem)
}

// NoList tells what is no list, nor meant for one, where lists lie, by its key: folder
// markers, what file managers and people leave beside files, and what Athena writes
// beside its results. why is empty for what may be one.
func NoList(key string) (why string) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	lower := strings.ToLower(name)
	stem, _, _ := strings.Cut(lower, ".")
	switch {
	case name == "":
		return "it is a folder's marker"
	case strings.HasSuffix(key, "_$folder$"):
		return "it is a folder's marker of Hadoop"
	case name == ".DS_Store", lower == "thumbs.db", lower == "desktop.ini", strings.HasPrefix(name, "._"):
		return "it is a file manager's own"
	case stem == "readme" || stem == "license":
		return "it is for people"
	case strings.HasSuffix(name, ".metadata"):
		return "it is what Athena writes beside a result"
	case name == "_SUCCESS", name == "_temporary", strings.HasPrefix(name, "_committed_"), strings.HasPrefix(name, "_started_"), strings.HasSuffix(name, ".crc"):
		return "it is what Spark and Hadoop write beside a result"
	}
	return ""
}

func isUUID(s string) bool {
	if len(s) != len("939c6d46-85a9-4ba8-87bd-9db705a579ce") {
		return false
	}
	for i := range len(s) {
		if isDash := i == 8 || i == 13 || i == 18 || i == 23; isDash != (s[i] == '-') || !isDash && unhex(s[i]) > 15 {
			return false
		}
	}
	return true
}

// ParseInventory reads a manifest.json and holds it against its manifest.checksum, which
// is the MD5 in hexadecimal; nil says that there is none. An error is a *BrokenError.
func ParseInventory(text, checksum []byte) (*Inventory, error) {
	broken := func(format string, args ...any) (*Inventory, error) {
		return nil, &BrokenError{File: "manifest.json", Reason: fmt.Sprintf(format, args...)}
	}
	if checksum == nil {
		return broken("the inventory's manifest.checksum is missing beside it: wait until S3 has written it, or copy it too")
	}
	sum := md5.Sum(text)
	if !strings.EqualFold(hex.EncodeToString(sum[:]), string(bytes.TrimSpace(checksum))) {
		return broken("its MD5 is not the one in manifest.checksum: it was changed or cut short")
	}
	var m struct {
		SourceBucket, DestinationBucket, FileFormat, FileSchema string
		Files                                                   []struct {
			Key         string
			Size        int64
			MD5checksum string
		}
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return broken("it is not the manifest of an S3 Inventory, or not valid JSON")
	}
	v := &Inventory{SourceBucket: m.SourceBucket, Bucket: m.DestinationBucket[strings.LastIndexByte(m.DestinationBucket, ':')+1:]}
	switch {
	case v.SourceBucket == "":
		return broken(`it lacks "sourceBucket"`)
	case v.Bucket == "":
		return broken(`it lacks "destinationBucket"`)
	case len(m.Files) == 0:
		return broken(`it names no files: the inventory is empty`)
	}
	for i, f := range m.Files {
		s := Shard{Key: f.Key, Size: f.Size}
		n, err := hex.Decode(s.MD5[:], []byte(f.MD5checksum)[:min(len(f.MD5checksum), 2*md5.Size)])
		switch {
		case s.Key == "":
			return broken(`files[%d] lacks its "key"`, i)
		case err != nil || n != md5.Size || len(f.MD5checksum) != 2*md5.Size:
			return broken(`files[%d] lacks its "MD5checksum", or it is none`, i)
		}
		v.Shards = append(v.Shards, s)
	}
	switch m.FileFormat {
	case "Parquet":
		v.Parquet = true
	case "CSV":
		v.Schema = m.FileSchema
		if err := v.Ready(); err != nil {
			return nil, err
		}
	default:
		return broken(`its "fileFormat" is neither CSV nor Parquet: configure the inventory as one of them`)
	}
	return v, nil
}

// schemaColumns reads the schema of CSV shards, which have no header: names with commas
// between them. Without a Key there are no columns.
func schemaColumns(schema string) []column {
	var all []column
	hasKey := false
	for name := range strings.SplitSeq(schema, ",") {
		c := column{kind: ignoredColumn}
		switch strings.TrimSpace(name) {
		case "Key":
			c.kind = keyColumn
			hasKey = true
		case "VersionId":
			c = column{kind: optionColumn, option: versionID}
		case "IsDeleteMarker":
			c.kind = deleteMarkerColumn
		}
		all = append(all, c)
	}
	if !hasKey {
		return nil
	}
	return all
}

// Verify holds a shard against its MD5 and size.
func (s Shard) Verify(r io.Reader) error {
	sum := &checkedReader{Reader: r, shard: s, hash: md5.New()}
	if _, err := io.CopyBuffer(io.Discard, sum, make([]byte, parquetBuffer)); err != nil {
		return err
	}
	return sum.verify()
}

// OpenCSV reads a shard of an inventory that is not Parquet. Keys are URL-encoded there.
// Delete markers are left out: they are no objects. When all is read, the shard is held
// against its MD5 and size; so its entries are only certain when Next returns io.EOF, as
// it also does for a shard without entries.
//
// The error is a *BrokenError, or the source's own.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
func (v *Inventory) OpenCSV(s Shard, r io.Reader, limits Limits) (*Reader, error) {
	sum := &checkedReader{Reader: r, shard: s, hash: md5.New()}
	list, err := newReader(sum, Description{Format: CSV, Compression: Gzip, Keys: FormEncoded}, limits)
	if err != nil {
		return nil, inFile(s.Key, err)
	}
	list.shard = &shardState{Shard: s, bucket: v.SourceBucket, verify: sum.verify}
	list.columns = columns{known: true, named: true, fields: v.columns, separator: ','}
	return list, nil
}

// shardState is what a Reader knows of the shard that it reads.
type shardState struct {
	Shard
	bucket string
	verify func() error // when all is read
}

// checkedReader sums up what is read of a shard.
type checkedReader struct {
	io.Reader
	shard Shard
	n     int64
	hash  interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	c.hash.Write(p[:n])
	return n, err
}

func (c *checkedReader) verify() error {
	if c.n != c.shard.Size {
		return &BrokenError{File: c.shard.Key, Reason: fmt.Sprintf("the file has %d bytes and the manifest says %d: it is not the one that S3 wrote", c.n, c.shard.Size)}
	}
	if !bytes.Equal(c.hash.Sum(nil), c.shard.MD5[:]) {
		return &BrokenError{File: c.shard.Key, Reason: "the file's MD5 is not the manifest's: it is not the one that S3 wrote"}
	}
	return nil
}

// inFile says in which file a list is broken.
func inFile(key string, err error) error {
	if b, ok := err.(*BrokenError); ok {
		b.File = key
	}
	return err
}
