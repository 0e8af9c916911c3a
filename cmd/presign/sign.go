package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

// lines is the command's own format: a URL a line, and nothing else.
const lines = "url"

// formatNames are what -format takes.
func formatNames() []string { return append([]string{lines}, bulk.FormatNames()...) }

// sign is presign get, head, put and delete.
func sign(ctx context.Context, operation string, args []string, s streams) error {
	var o options
	f := flag.NewFlagSet(operation, flag.ContinueOnError)
	o.defineFlags(f)
	var u uploading
	if operation == "put" {
		u.defineFlags(f)
	} else {
		f.BoolVar(&o.verbose, "v", false, "")
	}
	positional, err := parse(f, args)
	if err != nil {
		return err
	}
	if operation == "put" && len(positional) > 0 && !strings.HasPrefix(positional[0], "s3://") {
		return u.upload(ctx, &o, positional, s)
	}
	o.verbose = o.verbose || u.verbose
	only := ""
	f.Visit(func(set *flag.Flag) {
		if slices.Contains([]string{"n", "parallel", "stall", "parts-from", "follow-links"}, set.Name) {
			only = "-" + set.Name
		}
	})
	if only != "" {
		return usageError(only+" goes with what is uploaded", "presign put DIR s3://BUCKET/PREFIX/ uploads; presign put s3://BUCKET KEY ... signs only")
	}
	if !slices.Contains(formatNames(), o.format) {
		return usageError(fmt.Sprintf("there is no format %q", oneLine(o.format)), "the formats are "+strings.Join(formatNames(), ", "))
	}
	if len(positional) == 0 {
		return usageError("there is no bucket", "presign "+operation+" s3://BUCKET KEY ...")
	}
	t, err := parseTarget(positional[0])
	if err != nil {
		return err
	}
	op, _ := s3op.ParseOperation(operation)
	g := gathering{target: t, operation: op, tell: func(format string, args ...any) {
		fmt.Fprintf(s.err, "presign: "+format+"\n", args...)
	}}
	if o.job != "" || o.results != "" || o.machine != "" {
		return o.asJob(ctx, positional[1:], operation, &g, s)
	}
	if o.url != "" || o.function != "" {
		return o.fromService(ctx, positional[1:], operation, &g, s)
	}
	engine, err := newHere(ctx, &o, t.bucket)
	if err != nil {
		return err
	}
	if err := g.gather(positional[1:], &o, operation, s.in); err != nil {
		return err
	}
	if g.under {
		if err := g.everything(ctx, engine.client); err != nil {
			return err
		}
	}
	text, err := o.requestText(operation, &g)
	if err != nil {
		return err
	}
	plan, err := engine.plan(ctx, text, g.count)
	if err != nil {
		return err
	}
	failed, err := o.write(plan, s, g.tell)
	if err != nil {
		return err
	}
	o.notes(plan, s.err)
	failed += g.failed
	switch {
	case failed == 0:
		return nil
	case plan.Signed() == 0:
		return fmt.Errorf("none of %s was signed", counted(plan.Keys()+g.failed, "key"))
	}
	return &partial{failed: failed, of: plan.Keys() + g.failed}
}

// gather finds the keys: arguments, a list, or what is there.
func (g *gathering) gather(keys []string, o *options, operation string, in io.Reader) error {
	if o.list == "" && slices.Equal(keys, []string{"-"}) {
		o.list, keys = "-", nil
	}
	switch {
	case o.list != "" && len(keys) > 0:
		return usageError("there are keys and a list", "give one of them: the list is -f "+oneLine(o.list))
	case o.list != "":
		if err := g.list(o, in); err != nil {
			return err
		}
	case len(keys) > 0:
		for _, key := range keys {
			g.add(key, nil)
		}
	case g.target.prefix != "" && !strings.HasSuffix(g.target.prefix, "/"):
		g.add("", nil) // the prefix is the key
	case !g.target.whole:
		return usageError("there are no keys", "name some, give a list with -f, or write s3://"+g.target.bucket+"/ for the whole bucket")
	case operation == "put":
		return usageError("there are no keys to upload to", "name them: presign put s3://"+g.target.bucket+"/"+oneLine(g.target.prefix)+" KEY ...")
	default:
		g.under = true
		return nil
	}
	if g.count == 0 {
		return errors.New("the list has no key that can be used")
	}
	return nil
}

// requestText is the request that a service would be sent.
func (o *options) requestText(operation string, g *gathering) ([]byte, error) {
	text, err := o.requestHead(operation, g)
	if err != nil {
		return nil, err
	}
	text = append(append(text, `"keys":[`...), g.text...)
	return append(text, "]}"...), nil
}

// requestHead is a request up to its keys.
func (o *options) requestHead(operation string, g *gathering) ([]byte, error) {
	text := append([]byte(`{"bucket":`), strictjson.Quote(g.target.bucket)...)
	text = append(append(text, `,"operation":`...), strictjson.Quote(strings.ToUpper(operation))...)
	if o.expires > 0 {
		text = fmt.Appendf(text, `,"expires_in":%d`, int64(o.expires/time.Second))
	}
	maps := make(map[string]map[string]string) // of -o metadata.NAME=VALUE
	for _, option := range o.request {
		name, value, _ := strings.Cut(option, "=")
		name = strings.ReplaceAll(name, "-", "_")
		if of, entry, ok := strings.Cut(name, "."); ok {
			if maps[of] == nil {
				maps[of] = make(map[string]string)
			}
			maps[of][strings.ReplaceAll(entry, "_", "-")] = value
			continue
		}
		text = append(append(append(text, ','), strictjson.Quote(name)...), ':')
		if id, ok := s3op.Lookup(name); ok {
			text = append(text, valueOf(id.Kind(), value)...)
		} else if json.Valid([]byte(value)) { // true, 300
			text = append(text, value...)
		} else {
			text = append(text, strictjson.Quote(value)...)
		}
	}
	for name, entries := range maps {
		object, err := json.Marshal(entries)
		if err != nil {
			return nil, err
		}
		text = append(append(append(append(text, ','), strictjson.Quote(name)...), ':'), object...)
	}
	text = append(text, g.more...)
	return append(text, ','), nil
}

// fromService is sign by asking a deployed service.
func (o *options) fromService(ctx context.Context, keys []string, operation string, g *gathering, s streams) error {
	switch {
	case o.url != "" && o.function != "":
		return usageError("there are two services", "give one of -url and -function")
	case !slices.Contains(remoteFormats, o.format):
		return usageError("the answers of a service are not joined to "+o.format, "the formats are "+strings.Join(remoteFormats, ", ")+"; a call that signs here has all")
	}
	service, err := newRemote(ctx, o)
	if err != nil {
		return err
	}
	if err := g.gather(keys, o, operation, s.in); err != nil {
		return err
	}
	head, err := o.requestHead(operation, g)
	if err != nil {
		return err
	}
	if service.invoke {
		head = append(head, `"encoding":"gzip",`...)
	}
	to, err := o.output(s)
	if err != nil {
		return err
	}
	defer to.drop()
	j := &joined{to: bufio.NewWriterSize(to, 1<<16), format: o.format, tell: g.tell}
	a := &asking{remote: service, head: head}
	if g.under {
		err = a.prefix(ctx, g.target.prefix, j.take)
	} else {
		keys := batch{g.text, g.starts}.distinct()
		g.count = len(keys.starts)
		err = a.all(ctx, keys, j.take)
	}
	asked := err
	var no *refusal
	if errors.As(err, &no) {
		asked = usageError(err.Error(), no.hint())
	}
	if asked != nil && j.signed == 0 {
		return asked
	}
	if err := cmp.Or(j.end(), to.done()); err != nil {
		return err
	}
	j.notes()
	failed := g.failed + j.failed
	if asked != nil { // what was signed before is written
		if ctx.Err() != nil {
			asked = errors.New("stopped")
		}
		g.tell("%v; the keys behind were not signed", asked)
		failed = max(failed+1, g.count+g.failed-j.signed)
	}
	switch {
	case failed == 0 && j.signed == 0:
		return fmt.Errorf("there is no object under s3://%s/%s", g.target.bucket, oneLine(g.target.prefix))
	case failed == 0:
		return nil
	case j.signed == 0:
		return fmt.Errorf("none of %s was signed", counted(failed, "key"))
	}
	return &partial{failed: failed, of: failed + j.signed}
}

func (h *here) plan(ctx context.Context, text []byte, count int) (*bulk.Plan, error) {
	h.service.Policy.MaxKeys = count
	request, err := bulk.Decode(text, count)
	if err != nil {
		return nil, sentence(err)
	}
	plan, err := h.service.Plan(ctx, policy.Caller{}, request)
	return plan, sentence(err)
}

// sentence is an error of the engine without its code, which is for programs, and with its cause, which is for whoever
// owns the credentials.
func sentence(err error) error {
	var known *bulk.Error
	if !errors.As(err, &known) {
		return err
	}
	if known.Cause != nil {
		return fmt.Errorf("%s (%w)", known.Detail, plain(known.Cause))
	}
	return errors.New(known.Detail)
}

// write writes the answer and tells of the keys that have none.
func (o *options) write(plan *bulk.Plan, s streams, tell func(string, ...any)) (failed int, err error) {
	to, err := o.output(s)
	if err != nil {
		return 0, err
	}
	defer to.drop()
	buffered := bufio.NewWriterSize(to, 1<<16)
	if o.format == lines {
		err = writeLines(buffered, plan)
	} else {
		f, _ := bulk.ParseFormat(o.format)
		err = answer.Write(buffered, plan, f)
		if f.IsObject() && err == nil {
			err = buffered.WriteByte('\n')
		}
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return 0, err
	}
	plan.Refused(func(key string, code bulk.Code, message string) {
		failed++
		tell("%s: %s", oneLine(key), oneLine(message))
	})
	return failed, to.done()
}

// writeLines writes the URLs alone.
func writeLines(to io.Writer, plan *bulk.Plan) error {
	read, write := io.Pipe()
	go func() { write.CloseWithError(answer.Write(write, plan, bulk.URIList)) }()
	scanner := bufio.NewScanner(read)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if line := scanner.Bytes(); len(line) > 0 && line[0] != '#' {
			if _, err := fmt.Fprintf(to, "%s\n", line); err != nil {
				read.CloseWithError(err)
				return err
			}
		}
	}
	return scanner.Err()
}

// output is where an answer goes: to standard output, or into a file that its owner alone may read, and that is there whole or
// not at all.
type output struct {
	io.Writer
	file *os.File // nil: standard output, or it is done with
	name string
}

func (o *options) output(s streams) (*output, error) {
	if o.out == "" {
		return &output{Writer: s.out}, nil
	}
	return create(o.out)
}

func create(name string) (*output, error) {
	file, err := os.CreateTemp(filepath.Dir(name), ".presign-*") // mode 0600
	if err != nil {
		return nil, err
	}
	return &output{file, file, name}, nil
}

// done gives the file its name.
func (w *output) done() error {
	if w.file == nil {
		return nil
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(w.file.Name(), w.name); err != nil {
		return err
	}
	w.file = nil
	return nil
}

// drop leaves nothing of a file that is not done.
func (w *output) drop() {
	if w.file != nil {
		w.file.Close()
		os.Remove(w.file.Name())
	}
}

// notes say what the URLs alone do not.
func (o *options) notes(plan *bulk.Plan, err io.Writer) {
	if plan.Basis == bulk.BasisCredentials {
		fmt.Fprintf(err, "presign: the credentials end before the URLs would, at %s, and the URLs with them\n", plan.ExpiresAt.Format(time.RFC3339))
	}
	if headers := plan.Headers(); len(headers) > 0 && (o.format == lines || o.format == "uri-list") {
		var list []string
		for name, value := range headers {
			list = append(list, oneLine(name+": "+value))
		}
		slices.Sort(list)
		fmt.Fprintf(err, "presign: send each URL with %s\n", strings.Join(list, "; "))
	}
}
