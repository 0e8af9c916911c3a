package openapi_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"mime"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/openapi"
	"bulkpresign/internal/check/reference"
	"bulkpresign/internal/gatewayevent"
	"bulkpresign/internal/job"
	"bulkpresign/internal/parts"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

var update = flag.Bool("update", false, "write what the code's tables say into openapi.yaml, and docs/schemas")

const root = "../../.." // of the module

func document(t *testing.T) *openapi.Document {
	t.Helper()
	d, err := openapi.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// codes are the constants of files.
func codes(t *testing.T, files ...string) (all []string) {
	t.Helper()
	for _, file := range files {
		found, err := reference.Constants(filepath.Join(root, file), "Code")
		if err != nil || len(found) == 0 {
			t.Fatalf("%s has no codes: where are they now? %v", file, err)
		}
		all = append(all, found...)
	}
	return all
}

// What the code's tables say is what stands in openapi.yaml, and docs/schemas is made of it; -update writes both.
func TestWritten(t *testing.T) {
	name := filepath.Join(root, openapi.File)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	options, err := openapi.Options()
	if err != nil {
		t.Fatal(err)
	}
	regions := openapi.Enumerations(codes(t, "internal/bulk/errors.go"))
	regions["options"] = options
	regions["options of a request"] = openapi.OptionsOfRequest(bulk.Fields())
	written := string(text)
	for region, want := range regions {
		if written, _, err = openapi.Region(written, region, want); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(strings.Split(written, "\n"), strings.Split(string(text), "\n")); diff != "" {
		t.Errorf("openapi.yaml: go test ./internal/check/openapi -update writes it (-code +document)\n%s", diff)
	}
	files, err := document(t).Files()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range files {
		name := filepath.Join(root, "docs/schemas", file)
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, _ := os.ReadFile(name); string(got) != string(want) {
			t.Errorf("docs/schemas/%s is not what openapi.yaml says: go test ./internal/check/openapi -update writes it", file)
		}
	}
}

// A request and a key have the members that the decoder reads, and no others.
func TestFields(t *testing.T) {
	var options []string
	for _, id := range s3op.Options() {
		if !openapi.IsRefused(id) {
			options = append(options, id.String())
		}
	}
	d := document(t)
	want := append(bulk.Fields(), options...)
	slices.Sort(want)
	if diff := cmp.Diff(slices.Compact(want), d.Names("components", "schemas", "Request", "properties")); diff != "" {
		t.Errorf("a request (-code +document)\n%s", diff)
	}
	want = append(options, "key")
	slices.Sort(want)
	if diff := cmp.Diff(want, d.Names("components", "schemas", "KeyWithOptions", "properties")); diff != "" {
		t.Errorf("a key with options (-code +document)\n%s", diff)
	}
	for name := range openapi.Shapes {
		if id, ok := s3op.Lookup(name); !ok || openapi.IsRefused(id) {
			t.Errorf("there is a shape of %s, which is no option that is signed", name)
		}
	}
}

// Each value of an option that the description lets through is one that the decoder and the option's own check take, at
// each end of what it may be; each value just beyond is refused.
func TestOptionValues(t *testing.T) {
	d := document(t)
	schema, err := d.Schema("KeyWithOptions", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range s3op.Options() {
		if openapi.IsRefused(id) {
			for _, o := range s3op.Operations() {
				if o.Has(id) && o.Check([]s3op.Option{{ID: id, Value: "id=1"}}) == nil {
					t.Errorf("%s is signed, and the description leaves it out", id)
				}
			}
			continue
		}
		shape := openapi.Shapes[id.String()]
		for _, v := range values(id, shape) {
			text, err := json.Marshal(map[string]any{"key": "k", id.String(): v.value})
			if err != nil {
				t.Fatal(err)
			}
			if err := openapi.Validate(schema, text); (err == nil) != v.taken {
				t.Errorf("%.120s: the description says %v, want taken: %v", text, err, v.taken)
			}
			for _, o := range s3op.Operations() {
				if !o.Has(id) {
					continue
				}
				if err := take(o, text); (err == nil) != v.taken {
					t.Errorf("%s, %.120s: the code says %v, want taken: %v", o, text, err, v.taken)
				}
			}
		}
	}
}

// take is what the code says of one option of a key.
func take(o s3op.Operation, item []byte) error {
	_, options, err := bulk.DecodeItem(slices.Clone(item), nil) // which takes it over
	if err != nil {
		return err
	}
	if err := o.Check(options); err != nil {
		return err
	}
	if version, _ := s3op.Lookup("copy_source_version_id"); slices.ContainsFunc(options, func(o s3op.Option) bool { return o.ID == version }) {
		source, _ := s3op.Lookup("copy_source")
		options = append([]s3op.Option{{ID: source, Value: "photos/a"}}, options...)
	}
	if options, err = o.Settle(options); err != nil {
		return err
	}
	for _, opt := range options { // these are judged as a plan of parts
		if opt.ID == s3op.Size || opt.ID == s3op.PartSize {
			var n int64
			fmt.Sscan(opt.Value, &n)
			if opt.ID == s3op.Size {
				_, err = parts.Of(n, 0)
			} else if n == 0 {
				err = fmt.Errorf("no size of a part")
			} else {
				_, err = parts.Of(1, n)
			}
			return err
		}
	}
	return nil
}

type value struct {
	value any
	taken bool
}

// values are some of an option: those that are shown, each end, and what is just beyond.
func values(id s3op.ID, shape openapi.Shape) (list []value) {
	add := func(v any, taken bool) { list = append(list, value{v, taken}) }
	add(shape.Example, true)
	for _, known := range id.Known() {
		add(known, id.String() != "checksum_mode" || known == "ENABLED")
	}
	add(nil, true)
	add([]any{[]any{}}, false)
	switch kind := id.Kind(); kind {
	case s3op.Text, s3op.Timestamp:
		for _, v := range shape.Enum {
			add(v, true)
		}
		add("", false)
		add(1, false)
		add(true, false)
		switch {
		case shape.Enum != nil, shape.Pattern != "":
			add("?", false)
			add("x"+shape.Example.(string), id.String() == "copy_source")
		case kind == s3op.Timestamp: // a format is said, and held by the code alone
		case id.String() == "tagging", id.String() == "ssekms_encryption_context", id.String() == "if_none_match", id.String() == "filename":
			longest := 8192
			if shape.Longest > 0 {
				longest = shape.Longest
			}
			add(strings.Repeat("x", longest+1), false)
		default:
			if id.String() != "copy_source_version_id" { // it never stands alone, and all together may have so much
				add(strings.Repeat("x", 8192), true)
			}
			add(strings.Repeat("x", 8193), false)
		}
		if id.String() == "filename" {
			add(strings.Repeat("x", 1024), true)
		}
	case s3op.Boolean:
		add(false, true)
		add("true", false)
		add(1, false)
	case s3op.Integer:
		add("1", false)
		add(1.5, false)
		for _, v := range shape.Enum {
			add(v, true)
		}
		if shape.Enum != nil {
			add(202, false)
			break
		}
		add(shape.Min, true)
		add(shape.Min-1, false)
		add(shape.Max, true)
		if shape.Max < 1<<62 { // beyond that a JSON number is not exact
			add(shape.Max+1, false)
		}
	case s3op.Integers:
		add(1, false)
		add([]any{}, false)
		add([]any{"1"}, false)
		if shape.Items == 2 {
			add([]int64{shape.Min, shape.Max}, true)
			add([]int64{shape.Min - 1, shape.Max}, false)
			add([]int64{shape.Min, shape.Max + 1}, false)
			add([]int64{1}, false)
			add([]int64{1, 2, 3}, false)
			break
		}
		add([]int64{shape.Min}, true)
		add([]int64{shape.Max}, true)
		add([]int64{shape.Min - 1}, false)
		add([]int64{shape.Max + 1}, false)
	case s3op.Texts:
		add("ETag", false)
		add([]any{}, false)
		add([]any{"?"}, false)
		for _, v := range shape.Enum {
			add([]any{v}, true)
		}
	case s3op.StringMap:
		add(map[string]any{}, false)
		add(map[string]any{"a b": "x"}, false)
		add(map[string]any{"ü": "x"}, false)
		add(map[string]any{"a": 1}, false)
		add(map[string]any{"!#$%&'*+-.^_`|~09azAZ": "x", "b": nil}, true)
	}
	return list
}

// Each code of a request stands under its status, with an example, and nowhere else.
func TestProblems(t *testing.T) {
	d := document(t)
	responses := d.At("paths", "/presign", "post", "responses").(map[string]any)
	found := map[string]string{}
	for status, response := range responses {
		name := strings.TrimPrefix(response.(map[string]any)["$ref"].(string), "#/components/responses/")
		for code := range asMap(d.At("components", "responses", name, "content", "application/problem+json", "examples")) {
			found[code] = status
		}
	}
	want := map[string]string{}
	for _, code := range openapi.WholeCodes(codes(t, "internal/bulk/errors.go")) {
		want[code] = fmt.Sprint(gatewayevent.Status(bulk.Code(code)))
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("codes and statuses (-code +document)\n%s", diff)
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// An answer comes as the types of the formats, and as no other.
func TestMediaTypes(t *testing.T) {
	var want []string
	for _, name := range bulk.FormatNames() {
		f, _ := bulk.ParseFormat(name)
		mediaType, _, err := mime.ParseMediaType(f.MediaType())
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, mediaType)
	}
	slices.Sort(want)
	if diff := cmp.Diff(slices.Compact(want), document(t).Names("components", "responses", "Answer", "content")); diff != "" {
		t.Errorf("media types (-code +document)\n%s", diff)
	}
}

// The limits that are said in words are the code's.
func TestLimits(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(root, "internal/config/config.go"))
	if err != nil {
		t.Fatal(err)
	}
	var maxKeys int
	if _, after, ok := strings.Cut(string(config), "defaultMaxKeys = "); ok {
		number, _, _ := strings.Cut(after, "\n")
		fmt.Sscan(strings.ReplaceAll(number, "_", ""), &maxKeys)
	}
	d := document(t)
	schemas := []string{"components", "schemas", "Request", "properties"}
	for _, said := range []struct {
		words string
		at    []string
	}{
		{thousands(maxKeys) + " items", append(schemas, "keys", "description")},
		{thousands(bulk.MaxKeyBytes) + " bytes of UTF-8", []string{"components", "schemas", "KeyWithOptions", "properties", "key", "description"}},
		{thousands(gatewayevent.MaxResponse) + " bytes", []string{"components", "responses", "TooLarge", "description"}},
		{fmt.Sprintf("%d MiB of text, %d times its size", gatewayevent.MaxInflated>>20, gatewayevent.MaxRatio), []string{"components", "parameters", "ContentEncoding", "description"}},
	} {
		if text, _ := d.At(said.at...).(string); !strings.Contains(text, said.words) {
			t.Errorf("%s does not say %q: %s", strings.Join(said.at, "."), said.words, text)
		}
	}
	for name, want := range map[string]float64{"expires_in": policy.MaxExpiresIn.Seconds(), "reuse_for": policy.MaxExpiresIn.Seconds() - 1} {
		if got := d.At(append(schemas, name, "maximum")...); got != want {
			t.Errorf("%s is at most %v, and %v in the code", name, got, want)
		}
	}
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Every example of a request, an answer and a problem is one.
func TestExamples(t *testing.T) {
	d := document(t)
	n := 0
	check := func(schema string, examples any) {
		s, err := d.Schema(schema, true)
		if err != nil {
			t.Fatal(err)
		}
		for name, example := range asMap(examples) {
			n++
			text, err := json.Marshal(asMap(example)["value"])
			if err != nil {
				t.Fatal(err)
			}
			if err := openapi.Validate(s, text); err != nil {
				t.Errorf("the example %s is no %s: %v", name, schema, err)
			}
		}
	}
	check("Request", d.At("components", "requestBodies", "Request", "content", "application/json", "examples"))
	check("Answer", d.At("components", "responses", "Answer", "content", "application/json", "examples"))
	for _, name := range d.Names("components", "responses") {
		check("Problem", d.At("components", "responses", name, "content", "application/problem+json", "examples"))
	}
	if n < 40 {
		t.Errorf("only %d examples: where are they now?", n)
	}
}

// The paths and methods are those of the template's APIs, each with its kind of caller.
func TestRoutes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template yaml.Node
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	deployed := map[string]string{} // method and path to the scheme of security
	for _, api := range []string{"HttpApi", "StreamApi"} {
		paths := under(&template, "Resources", api, "Properties", "DefinitionBody", "paths")
		if paths == nil {
			t.Fatalf("template.yaml has no paths of %s: where are they now?", api)
		}
		for path, methods := range pairs(paths) {
			if methods.Tag == "!If" { // of a condition, then, else
				methods = methods.Content[1]
			}
			for method, operation := range pairs(methods) {
				if method == "options" { // a browser's question, which is CORS's and not a caller's
					continue
				}
				scheme := "Iam" // StreamApi's DefaultAuthorizer
				if security := under(operation, "security"); security != nil {
					scheme = security.Content[0].Content[0].Value
				}
				deployed[method+" "+path] = scheme
			}
		}
	}
	d := document(t)
	described := map[string]string{}
	for _, path := range d.Names("paths") {
		for _, method := range d.Names("paths", path) {
			security := d.At("paths", path, method, "security").([]any)
			for scheme := range asMap(security[0]) {
				described[method+" "+path] = map[string]string{"sigv4": "Iam", "token": "Token"}[scheme]
			}
		}
	}
	if diff := cmp.Diff(deployed, described); diff != "" {
		t.Errorf("routes (-template +description)\n%s", diff)
	}
	for _, name := range []string{"type", "name", "in", "x-amazon-apigateway-authtype"} {
		want := under(&template, "Resources", "HttpApi", "Properties", "DefinitionBody", "components", "securitySchemes", "Iam", name)
		if got := d.At("components", "securitySchemes", "sigv4", name); want == nil || got != want.Value {
			t.Errorf("sigv4: %s is %v, and another in the template", name, got)
		}
	}
}

// under finds what lies in a mapping at a path, nil where nothing does.
func under(n *yaml.Node, path ...string) *yaml.Node {
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	for _, name := range path {
		if n = pairs(n)[name]; n == nil {
			return nil
		}
	}
	return n
}

func pairs(n *yaml.Node) map[string]*yaml.Node {
	m := map[string]*yaml.Node{}
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = n.Content[i+1]
		}
	}
	return m
}

// summary.schema.json has the members of job.Summary and of what is in it, with their types, and no others.
func TestSummary(t *testing.T) {
	name := filepath.Join(root, "docs/schemas/summary.schema.json")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := codes(t, "internal/bulk/errors.go", "internal/job/source.go", "internal/job/verdict.go")
	if *update {
		begin := strings.Index(string(text), "\"enum\": [\n")
		end := begin + strings.Index(string(text[begin:]), "]")
		var b strings.Builder
		for i, code := range all {
			if i%6 == 0 {
				b.WriteString("\n        ")
			} else {
				b.WriteString(" ")
			}
			fmt.Fprintf(&b, "%q", code)
			if i+1 < len(all) {
				b.WriteString(",")
			}
		}
		text = []byte(string(text[:begin]) + `"enum": [` + b.String() + "\n      " + string(text[end:]))
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	c := comparison{t: t, defs: asMap(schema["$defs"])}
	c.compare("summary", reflect.TypeFor[job.Summary](), schema)
	var documented []string
	for _, code := range asMap(asMap(schema["$defs"])["code"])["enum"].([]any) {
		documented = append(documented, code.(string))
	}
	if diff := cmp.Diff(all, documented); diff != "" {
		t.Errorf("codes (-code +document); go test ./internal/check/openapi -update writes them\n%s", diff)
	}

	resolved, err := openapi.ReadSchema(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, example := range resolved.Schema().Examples {
		if err := resolved.Validate(example); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
}

type comparison struct {
	t    *testing.T
	defs map[string]any
}

// compare holds a type against what a schema says of its JSON.
func (c *comparison) compare(where string, of reflect.Type, schema map[string]any) {
	if ref, ok := schema["$ref"].(string); ok {
		schema = asMap(c.defs[strings.TrimPrefix(ref, "#/$defs/")])
	}
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	want := ""
	switch {
	case of == reflect.TypeFor[time.Time]():
		want = "string"
		if schema["format"] != "date-time" {
			c.t.Errorf("%s is a time", where)
		}
	case of.Kind() == reflect.Struct:
		want = "object"
		c.members(where, of, schema)
	case of.Kind() == reflect.Map:
		want = "object"
		c.compare(where+".*", of.Elem(), asMap(schema["additionalProperties"]))
	case of.Kind() == reflect.Slice:
		want = "array"
		c.compare(where+"[]", of.Elem(), asMap(schema["items"]))
	case of.Kind() == reflect.String:
		want = "string"
	case of.Kind() == reflect.Int64, of.Kind() == reflect.Int:
		want = "integer"
	}
	if got := schema["type"]; got != want && (want != "string" || schema["enum"] == nil) {
		c.t.Errorf("%s is of type %v, and in Go %s", where, got, of)
	}
}

func (c *comparison) members(where string, of reflect.Type, schema map[string]any) {
	properties := asMap(schema["properties"])
	var names, required []string
	var add func(of reflect.Type, sometimes bool)
	add = func(of reflect.Type, sometimes bool) {
		for i := range of.NumField() {
			field := of.Field(i)
			tag, has := field.Tag.Lookup("json")
			switch {
			case field.Anonymous && !has:
				if field.Type.Kind() == reflect.Pointer {
					add(field.Type.Elem(), true)
				} else {
					add(field.Type, sometimes)
				}
			case tag == "-" || !field.IsExported():
			default:
				name, more, _ := strings.Cut(tag, ",")
				names = append(names, name)
				if more == "" && !sometimes {
					required = append(required, name)
				}
				c.compare(where+"."+name, field.Type, asMap(properties[name]))
			}
		}
	}
	add(of, false)
	var described, needed []string
	for name := range properties {
		described = append(described, name)
	}
	for _, name := range anyList(schema["required"]) {
		needed = append(needed, name.(string))
	}
	for _, list := range [][]string{names, required, described, needed} {
		slices.Sort(list)
	}
	if diff := cmp.Diff(names, described); diff != "" {
		c.t.Errorf("%s: members (-code +document)\n%s", where, diff)
	}
	if diff := cmp.Diff(required, needed); diff != "" {
		c.t.Errorf("%s: members that are always there (-code +document)\n%s", where, diff)
	}
	if schema["additionalProperties"] != false {
		c.t.Errorf("%s takes other members", where)
	}
}

func anyList(v any) []any {
	list, _ := v.([]any)
	return list
}
