// Package openapi reads openapi.yaml, writes those of its parts that the code's own tables say, and makes the JSON Schemas
// under docs/schemas of it. It is imported by tests only.
package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/gatewayevent"
	"bulkpresign/internal/s3op"
)

// File is the description's name, from the root of the repository.
const File = "openapi.yaml"

// dialect is what the schemas are written in, here and under docs/schemas.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// Document is openapi.yaml.
type Document struct {
	root *yaml.Node     // in the file's order
	all  map[string]any // the same, without order
}

// Read reads the description from a folder, the root of the repository.
func Read(folder string) (*Document, error) {
	text, err := os.ReadFile(filepath.Join(folder, File))
	if err != nil {
		return nil, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	d := &Document{root: node.Content[0]}
	var b bytes.Buffer
	if err := writeJSON(&b, d.root, "", nil); err != nil {
		return nil, err
	}
	return d, json.Unmarshal(b.Bytes(), &d.all)
}

// At is what lies at a path of names, nil where nothing does.
func (d *Document) At(path ...string) any { return at(d.all, path...) }

func at(v any, path ...string) any {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// Names are those of the members of what lies at a path, sorted.
func (d *Document) Names(path ...string) []string {
	m, _ := d.At(path...).(map[string]any)
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Texts are the texts of an array.
func (d *Document) Texts(path ...string) []string {
	list, _ := d.At(path...).([]any)
	var texts []string
	for _, v := range list {
		text, _ := v.(string)
		texts = append(texts, text)
	}
	return texts
}

// Schema is one of components/schemas. A strict one takes no member that the description does not name, which a client
// should take: by it what the service writes is held against the description.
func (d *Document) Schema(name string, strict bool) (*jsonschema.Resolved, error) {
	var schemas any
	text, err := json.Marshal(d.At("components", "schemas"))
	if err == nil {
		err = json.Unmarshal(text, &schemas)
	}
	if err != nil {
		return nil, err
	}
	if strict {
		for _, schema := range schemas.(map[string]any) {
			closeObjects(schema)
		}
	}
	text, err = json.Marshal(map[string]any{"$schema": dialect, "$ref": "#/components/schemas/" + name, "$defs": schemas})
	if err != nil {
		return nil, err
	}
	schema := new(jsonschema.Schema)
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("#/components/schemas/"), []byte("#/$defs/")), schema); err != nil {
		return nil, err
	}
	return schema.Resolve(nil)
}

// closeObjects lets objects with named members have no others. What is under a condition describes no whole object.
func closeObjects(schema any) {
	m, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if _, open := m["additionalProperties"]; !open && m["properties"] != nil {
		m["additionalProperties"] = false
	}
	properties, _ := m["properties"].(map[string]any)
	for _, p := range properties {
		closeObjects(p)
	}
	closeObjects(m["additionalProperties"])
	closeObjects(m["items"])
}

// ReadSchema reads a JSON Schema.
func ReadSchema(file string) (*jsonschema.Resolved, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	schema := new(jsonschema.Schema)
	if err := json.Unmarshal(text, schema); err != nil {
		return nil, err
	}
	return schema.Resolve(nil)
}

// Validate holds a JSON text against a schema. The error names what is wrong, and may hold values.
func Validate(schema *jsonschema.Resolved, text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	return schema.Validate(v)
}

// files are the JSON Schemas that are made of the description's, each with its title there.
var files = map[string]string{"Request": "request", "Answer": "answer", "Line": "line", "Problem": "problem"}

// Files are the JSON Schemas under docs/schemas that are made of the description, by their names there.
func (d *Document) Files() (map[string][]byte, error) {
	made := make(map[string][]byte)
	for schema, name := range files {
		text, err := d.file(schema)
		if err != nil {
			return nil, err
		}
		made[name+".schema.json"] = text
	}
	return made, nil
}

func (d *Document) file(name string) ([]byte, error) {
	schemas := member(member(d.root, "components"), "schemas")
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"$schema":%q,"$comment":"Made of openapi.yaml by go test ./internal/check/openapi -update."`, dialect)
	own := member(schemas, name)
	for i := 0; i < len(own.Content); i += 2 {
		fmt.Fprintf(&b, ",%q:", own.Content[i].Value)
		if err := writeJSON(&b, own.Content[i+1], name, own.Content[i]); err != nil {
			return nil, err
		}
	}
	b.WriteString(`,"$defs":{`)
	needed := reached(d.At("components", "schemas"), name)
	first := true
	for i := 0; i < len(schemas.Content); i += 2 {
		key := schemas.Content[i].Value
		if key == name || !needed[key] {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		fmt.Fprintf(&b, "%q:", key)
		if err := writeJSON(&b, schemas.Content[i+1], name, schemas.Content[i]); err != nil {
			return nil, err
		}
	}
	b.WriteString("}}")
	text := bytes.ReplaceAll(b.Bytes(), []byte("#/components/schemas/"), []byte("#/$defs/"))
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return nil, err
	}
	return append(indented.Bytes(), '\n'), nil
}

// reached are the schemas that one needs, and it.
func reached(schemas any, name string) map[string]bool {
	found := map[string]bool{}
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				visit(e)
			}
		case map[string]any:
			for _, e := range v {
				visit(e)
			}
			if ref, ok := v["$ref"].(string); ok {
				name := strings.TrimPrefix(ref, "#/components/schemas/")
				if !found[name] {
					found[name] = true
					visit(at(schemas, name))
				}
			}
		}
	}
	visit(at(schemas, name))
	return found
}

// member finds a member of a mapping.
func member(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	panic("openapi: openapi.yaml has no " + name)
}

// writeJSON writes a node in the file's order. In a file of its own, an option of a request is that of a key: it is written
// once.
func writeJSON(b *bytes.Buffer, n *yaml.Node, file string, name *yaml.Node) error {
	switch n.Kind {
	case yaml.AliasNode:
		if file == "Request" {
			fmt.Fprintf(b, `{"$ref":"#/$defs/KeyWithOptions/properties/%s"}`, name.Value)
			return nil
		}
		return writeJSON(b, n.Alias, file, name)
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeValue(b, n.Content[i].Value); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1], file, n.Content[i]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, e := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, e, file, nil); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	return writeValue(b, v)
}

func writeValue(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	b.Truncate(b.Len() - 1) // the line's end
	return err
}

// WholeCodes are the codes of codes that a whole request can fail with.
func WholeCodes(codes []string) (whole []string) {
	for _, code := range codes {
		if c := bulk.Code(code); gatewayevent.Status(c) != gatewayevent.Status(bulk.InternalError) || c == bulk.InternalError {
			whole = append(whole, code)
		}
	}
	return whole
}

// KeyCodes are those of codes that a key can fail with.
func KeyCodes(codes []string) (ofKeys []string) {
	whole := WholeCodes(codes)
	for _, code := range codes {
		if c := bulk.Code(code); !slices.Contains(whole, code) || c == bulk.InvalidOption || c == bulk.KeyNotAllowed {
			ofKeys = append(ofKeys, code)
		}
	}
	return ofKeys
}

// Enumerations are those of the schemas that the code has tables of. codes are the constants of package bulk.
func Enumerations(codes []string) map[string]string {
	var operations []string
	for _, o := range s3op.Operations() {
		operations = append(operations, o.String())
	}
	made := make(map[string]string)
	for name, values := range map[string][]string{
		"Operation": operations, "Format": bulk.FormatNames(), "KeyCode": KeyCodes(codes), "ProblemCode": WholeCodes(codes),
	} {
		made[name] = "enum: [" + strings.Join(values, ", ") + "]\n"
	}
	return made
}

// Region replaces what stands in the description between the comments "begin NAME" and "end NAME", and gives what stood
// there. The lines of text are indented as the comments are.
func Region(document, name, text string) (replaced, before string, err error) {
	begin, end := "# begin "+name+"\n", "# end "+name+"\n"
	from, to := strings.Index(document, begin), strings.Index(document, end)
	if from < 0 || to < from {
		return "", "", fmt.Errorf("%s has no region %q", File, name)
	}
	indent := document[strings.LastIndexByte(document[:from], '\n')+1 : from]
	from += len(begin)
	to -= len(indent)
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(indent + line)
	}
	return document[:from] + b.String() + document[to:], document[from:to], nil
}
