package answer

import (
	"slices"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3op"
)

// curlTop writes how to use the file, and the options that all its URLs share, if they
// share them.
func (w *rendering) curlTop() {
	w.text("# curl -Z -K THIS_FILE\n")
	w.apart = w.apartInCurl()
	if !w.apart {
		w.curlOptions(w.plan.BatchOptions())
		w.curlFailure("%{filename_effective}")
	}
}

// curlFailure has curl name a transfer that failed, on standard error: of fifty refused uploads it would say fifty times
// the same. It begins a line of its own, since the meter of parallel transfers ends none. Options that curl before 7.75
// does not know it passes over.
func (w *rendering) curlFailure(what string) {
	w.text(`write-out = "%{onerror}%{stderr}\n` + what + ` failed: curl says %{exitcode}, HTTP %{http_code}\n"` + "\n")
}

// apartInCurl tells whether each URL needs options of its own: other headers, or, where there is no file whose name curl
// knows, a name to tell when it failed.
func (w *rendering) apartInCurl() bool {
	return w.plan.Any(bulk.OwnHeaders) || !downloads(w.plan.Operation)
}

// downloads tells whether curl saves what an operation answers, under the name that the list gives.
func downloads(op s3op.Operation) bool { return op.Method() == "GET" || op == s3op.HeadObject }

// curlRenames tells whether curl would add the file's name to the URL of an upload:
// where it takes the path for a folder's.
func curlRenames(op s3op.Operation, key string) bool {
	last := key[strings.LastIndexByte(key, '/')+1:]
	return (op == s3op.PutObject || op == s3op.UploadPart) && (last == "" || last == "." || last == "..")
}

// curl writes a URL and what goes with it as options of a config file.
func (w *rendering) curl(i int, part string) {
	key, operation := w.plan.Key(i), w.plan.Operation
	name := w.fileName(i)
	if part != "" {
		name += ".part" + part
	}
	w.renamed(key, name)
	if w.apart { // options of curl hold until "next"
		if w.open {
			w.text("next\n")
		}
		w.open = true
		w.curlOptions(w.plan.Options(i))
		w.curlFailure(strings.ReplaceAll(curlEscapes.Replace(name), "%", "%%"))
	}
	w.text(`url = "`)
	w.url(i, part)
	w.text("\"\n")
	switch {
	case curlRenames(operation, key):
		w.text("request = \"PUT\"\ndata-binary = " + curlQuote("@"+name) + "\n")
		if !slices.ContainsFunc(w.plan.Options(i), func(o s3op.Option) bool { return o.WireName() == "content-type" }) {
			w.text("header = \"content-type:\"\n") // a form's is not the object's
		}
	case operation == s3op.PutObject, operation == s3op.UploadPart:
		w.text("upload-file = " + curlQuote(name) + "\n")
	case downloads(operation):
		w.text("output = " + curlQuote(name) + "\n")
	}
}

// curlOptions are what curl needs for requests with the same headers.
//
// https://curl.se/docs/manpage.html
func (w *rendering) curlOptions(settled []s3op.Option) {
	w.text("fail\ngloboff\npath-as-is\n")
	switch op := w.plan.Operation; op.Method() {
	case "GET":
		w.text("create-dirs\n")
	case "HEAD":
		w.text("create-dirs\nhead\n")
	case "DELETE":
		w.text("request = \"DELETE\"\n")
	default:
		if op != s3op.PutObject && op != s3op.UploadPart { // these have a file
			w.text("request = \"" + op.Method() + "\"\nheader = \"content-length: 0\"\n")
		}
	}
	for _, o := range settled {
		if o.ID.IsHeader() && o.WireName() != "content-length" { // curl writes the file's own, which must be the same
			w.text("header = " + curlQuote(o.WireName()+": "+o.Value) + "\n")
		}
	}
}

// curlEscapes is made once: making it takes longer than using it.
var curlEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`)

func curlQuote(s string) string { return `"` + curlEscapes.Replace(s) + `"` }
