package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/manifest"
	"bulkpresign/internal/strictjson"
)

// maxRequest is how large a list may be that is JSON as a whole and must be read so: a request, or an answer.
const maxRequest = 1 << 30

// list reads a list of any format that the service takes, from a file or standard input.
func (g *gathering) list(o *options, in io.Reader) error {
	name := o.list
	described, known, err := manifest.Describe(name, o.written)
	if err != nil {
		return usageError(err.Error(), "") // each flag was looked at when it was read
	}
	if !known {
		described.Format = manifest.Text // people's lists have all kinds of names
	}
	described.Operation = g.operation
	var file *os.File
	switch {
	case name != "-":
		file, err = os.Open(name)
	case described.Format == manifest.Parquet:
		file, err = spool(in)
	}
	if err != nil {
		return err
	}
	if file != nil {
		defer file.Close()
		in = file
	}
	switch described.Format {
	case manifest.InventoryManifest:
		err = g.inventory(name, in)
	case manifest.Lists:
		return usageError(oneLine(name)+" is a list of lists", "give one of the lists that it names; the service's state machine signs them all")
	case manifest.Parquet:
		err = g.parquet(file)
	default:
		err = g.stream(described, in)
	}
	var broken *manifest.BrokenError
	if errors.As(err, &broken) {
		return fmt.Errorf("%s: %w", oneLine(name), err)
	}
	return err
}

// spool writes standard input to a file without a name, for a format whose end says where the rest lies.
func spool(in io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "presign-list-*")
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(file, in); err == nil {
		err = os.Remove(file.Name()) // what is open stays, where a system lets it
	}
	return file, err
}

func (g *gathering) stream(d manifest.Description, in io.Reader) error {
	reader, err := d.Read(in, manifest.Limits{})
	if err != nil {
		return err
	}
	if reader.IsRequest() {
		text, err := reader.Text(maxRequest)
		if err != nil {
			return err
		}
		return g.document(text)
	}
	return g.entries(reader, true)
}

func (g *gathering) parquet(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	reader, err := manifest.ReadParquet(file, info.Size(), manifest.Limits{})
	if err != nil {
		return err
	}
	return g.entries(reader, true)
}

// entries takes what a reader has. Keys that are whole stand in no need of the prefix.
func (g *gathering) entries(reader *manifest.Reader, relative bool) error {
	prefix := g.target.prefix
	if !relative {
		g.target.prefix = ""
		defer func() { g.target.prefix = prefix }()
	}
	reader.Operation(g.operation)
	for {
		var e manifest.Entry
		err := reader.Next(&e)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case e.Err != nil:
			g.failed++
			g.tell("line %d: %s", e.Line, oneLine(e.Err.Error()))
		case e.Bucket != "" && e.Bucket != g.target.bucket:
			g.failed++
			g.tell("line %d: the list names bucket %s for the key, and this call is for %s", e.Line, oneLine(e.Bucket), g.target.bucket)
		case !relative && !strings.HasPrefix(e.Key, prefix):
			// an inventory is of the bucket, and the call may be for a part of it
		default:
			g.add(e.Key, e.Options)
		}
	}
}

// inventory reads an S3 Inventory that was copied from S3: manifest.json, manifest.checksum beside it, and the files that
// it names in the same folder, in "data" there, or in "data" beside the folder, as S3 has them. Its keys are whole: those
// under the prefix are taken.
func (g *gathering) inventory(name string, in io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(in, maxRequest))
	if err != nil {
		return err
	}
	checksum, err := os.ReadFile(manifest.ChecksumKey(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	inventory, err := manifest.ParseInventory(text, checksum)
	if err != nil {
		return err
	}
	if inventory.SourceBucket != g.target.bucket {
		return usageError(fmt.Sprintf("the inventory is of bucket %s", oneLine(inventory.SourceBucket)), "this call is for "+g.target.bucket)
	}
	for _, shard := range inventory.Shards {
		if err := g.shard(filepath.Dir(name), inventory, shard); err != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) shard(dir string, inventory *manifest.Inventory, shard manifest.Shard) error {
	base := path.Base(shard.Key)
	var file *os.File
	err := fs.ErrNotExist
	for _, folder := range []string{dir, filepath.Join(dir, "data"), filepath.Join(filepath.Dir(dir), "data")} {
		if filepath.IsLocal(base) && errors.Is(err, fs.ErrNotExist) {
			file, err = os.Open(filepath.Join(folder, base))
		}
	}
	if err != nil {
		return usageError("the inventory's file "+oneLine(base)+" is not there", "copy it to where manifest.json is, or into data beside its folder: aws s3 cp --recursive of the inventory does it")
	}
	defer file.Close()
	var reader *manifest.Reader
	if inventory.Parquet {
		reader, err = inventory.OpenParquet(shard, file, manifest.Limits{})
	} else {
		reader, err = inventory.OpenCSV(shard, file, manifest.Limits{})
	}
	if err != nil {
		return err
	}
	return g.entries(reader, false)
}

// document reads JSON that is a request, as a service would be sent it, or an answer.
func (g *gathering) document(text []byte) error {
	var answer struct {
		Bucket                                   string
		URLs, Errors, Posts, Uploads, Signatures json.RawMessage
	}
	if json.Unmarshal(text, &answer) == nil && (answer.URLs != nil || answer.Signatures != nil) {
		if answer.Bucket != g.target.bucket {
			return usageError(fmt.Sprintf("the answer is of bucket %s", oneLine(answer.Bucket)), "this call is for "+g.target.bucket)
		}
		prefix := g.target.prefix
		g.target.prefix = "" // its keys are whole
		defer func() { g.target.prefix = prefix }()
		return errors.Join(g.members(answer.Signatures), g.members(answer.URLs), g.members(answer.Errors))
	}
	return g.request(text)
}

// members takes the names of an object's members as keys, in their order.
func (g *gathering) members(object json.RawMessage) error {
	if object == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		key, ok := name.(string)
		if !ok {
			return errors.New("the answer has a list where keys are names")
		}
		g.add(key, nil)
		if err := d.Decode(new(json.RawMessage)); err != nil {
			return err
		}
	}
	return nil
}

// request takes a request's keys and options. Bucket and operation must be those of the call; an option that a flag gives,
// too, is a duplicate, which the engine refuses by name.
func (g *gathering) request(text []byte) error {
	request, err := bulk.Decode(bytes.Clone(text), maxRequest)
	switch {
	case err != nil:
		return sentence(err)
	case request.Source != bulk.Keys:
		return usageError("the request has no keys", "write what it asks for as s3://BUCKET/PREFIX/ or as a list")
	case request.Bucket != "" && request.Bucket != g.target.bucket:
		return usageError("the request is for bucket "+oneLine(request.Bucket), "this call is for "+g.target.bucket)
	case request.Operation != g.operation && bytes.Contains(text, []byte(`"operation"`)):
		return usageError("the request is for "+request.Operation.String(), "this call is for "+g.operation.String())
	}
	for _, item := range request.Items {
		g.add(item.Key, request.OwnOptions(item))
	}
	var members map[string]json.RawMessage // checked above: without duplicates
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	for name, value := range members {
		switch name {
		case "bucket", "operation", "keys", "format", "encoding": // the command's own
		default:
			g.more = append(append(append(append(g.more, ','), strictjson.Quote(name)...), ':'), value...)
		}
	}
	return nil
}
