package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"bulkpresign/internal/doctor"
)

// maxResponse is more than S3's error document ever has.
const maxResponse = 1 << 20

// examine is presign doctor. Finding something wrong is what it is for, so it ends with 0; only a URL that is none at
// all is a mistake of the call.
func examine(args []string, s streams) error {
	f := flag.NewFlagSet("doctor", flag.ContinueOnError)
	response := f.String("response", "", "")
	asJSON := f.Bool("json", false, "")
	positional, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(positional) != 1 {
		return usageError("doctor wants one URL", "put it in quotation marks, or give - and write it to standard input, which no history keeps")
	}
	url := positional[0]
	if url == "-" {
		text, err := io.ReadAll(io.LimitReader(s.in, maxResponse))
		if err != nil {
			return err
		}
		url = string(text)
	}
	var body []byte
	if *response != "" {
		file, err := os.Open(*response)
		if err != nil {
			return err
		}
		defer file.Close()
		if body, err = io.ReadAll(io.LimitReader(file, maxResponse)); err != nil {
			return err
		}
	}
	report := doctor.Examine(url, body, time.Now())
	if *asJSON {
		e := json.NewEncoder(s.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	show(s.out, &report)
	return nil
}

func show(out io.Writer, r *doctor.Report) {
	for _, f := range r.Facts {
		fmt.Fprintf(out, "%-28s %s\n", f.Name, oneLine(f.Value))
	}
	if len(r.Facts) > 0 {
		fmt.Fprintln(out)
	}
	for i, f := range r.Findings {
		fmt.Fprintf(out, "%d. %s: %s.\n   %s.\n", i+1, f.Likelihood, oneLine(f.What), oneLine(f.Cure))
	}
	for i, line := range r.Response {
		if i == 0 {
			fmt.Fprintln(out, "\nWhat S3 received, beside the URL:")
		}
		mark := "same  "
		if !line.Same {
			mark = "DIFFER"
		}
		fmt.Fprintf(out, "%s %s\n", mark, line.Part)
		if !line.Same {
			fmt.Fprintf(out, "       S3:  %s\n       URL: %s\n", oneLine(line.S3), strings.TrimSpace(oneLine(line.URL)))
		}
	}
}
