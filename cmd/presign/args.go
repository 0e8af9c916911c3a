package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"bulkpresign/internal/manifest"
)

// errHelp is -h behind a command.
var errHelp = errors.New("help")

// options are what the flags of the signing commands say.
type options struct {
	list      string            // a file, or - for standard input
	written   map[string]string // how the list is written, as a list's metadata in S3 says it
	expires   time.Duration     // 0: the default
	format    string
	request   []string // name=value
	out       string
	region    string
	profile   string
	endpoint  string
	addressed string

	// A service, instead of signing here.
	function, url       string
	tokenFile, tokenEnv string
	job, results        string // folders in S3: of lists, and of what becomes of them
	machine             string // the ARN of a state machine that signs the list
	verbose             bool   // tell of waiting where there is no terminal
}

// defineFlags binds the flags to o.
func (o *options) defineFlags(f *flag.FlagSet) {
	f.StringVar(&o.list, "f", "", "")
	o.written = make(map[string]string)
	for _, name := range []string{"list-format", "key-encoding", "extra-columns"} {
		f.Func(name, "", func(s string) error {
			field := "presign-" + strings.TrimPrefix(name, "list-")
			o.written[field] = s
			if _, _, err := manifest.Describe("", map[string]string{field: s}); err != nil {
				_, want, _ := strings.Cut(err.Error(), "must be ")
				return errors.New("it is one of " + want)
			}
			return nil
		})
	}
	f.Func("expires", "", func(s string) (err error) {
		o.expires, err = lifetime(s)
		return err
	})
	f.StringVar(&o.format, "format", lines, "")
	f.Func("o", "", func(s string) error {
		name, _, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return errors.New("an option is written NAME=VALUE, such as content_type=image/png")
		}
		if flag, own := ofFlags[strings.ReplaceAll(name, "-", "_")]; own {
			return fmt.Errorf("%s is no option of a URL: %s says it", name, flag)
		}
		o.request = append(o.request, s)
		return nil
	})
	f.StringVar(&o.function, "function", "", "")
	f.StringVar(&o.url, "url", "", "")
	f.StringVar(&o.tokenFile, "token-file", "", "")
	f.StringVar(&o.tokenEnv, "token-env", "", "")
	f.StringVar(&o.job, "job", "", "")
	f.StringVar(&o.results, "results", "", "")
	f.StringVar(&o.machine, "state-machine", "", "")
	f.StringVar(&o.out, "out", "", "")
	f.StringVar(&o.region, "region", "", "")
	f.StringVar(&o.profile, "profile", "", "")
	f.StringVar(&o.endpoint, "endpoint-url", "", "")
	f.StringVar(&o.addressed, "addressing", "", "")
}

// ofFlags are the fields of a request that the command itself fills in, and what says them.
var ofFlags = map[string]string{
	"bucket": "s3://BUCKET", "operation": "get, head, put or delete", "keys": "an argument or -f", "prefix": "s3://BUCKET/PREFIX",
	"manifest": "-f", "expires_in": "-expires", "format": "-format", "encoding": "nothing, since answers are unpacked here,",
}

// parse reads flags wherever they stand among the arguments, up to "--".
func parse(f *flag.FlagSet, args []string) (positional []string, err error) {
	f.SetOutput(io.Discard)
	for {
		err := f.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, errHelp
		case err != nil:
			return nil, usageError(err.Error(), "presign "+f.Name()+" -h shows the flags")
		}
		rest := f.Args()
		if len(rest) == 0 {
			return positional, nil
		}
		if at := len(args) - len(rest); at > 0 && args[at-1] == "--" {
			return append(positional, rest...), nil
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
}

// lifetime reads 15m, 12h, 7d, or a number of seconds.
func lifetime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if n, numberErr := strconv.ParseInt(s, 10, 32); numberErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, dayErr := strconv.ParseInt(days, 10, 16)
		d, err = time.Duration(n)*24*time.Hour, dayErr
	}
	switch {
	case err != nil:
		return 0, errors.New("a time is written 15m, 12h, 7d, or as a number of seconds")
	case d < time.Second || d%time.Second != 0:
		return 0, errors.New("URLs live for whole seconds, one at least")
	case d > 7*24*time.Hour:
		return 0, errors.New("URLs live a week at most (7d)")
	}
	return d, nil
}

func isURL(s string) bool { return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") }

// target is s3://BUCKET[/PREFIX].
type target struct {
	bucket, prefix string
	whole          bool // there was a slash behind the bucket
}

func parseTarget(s string) (target, error) {
	rest, ok := strings.CutPrefix(s, "s3://")
	if isURL(s) { // which may be signed, and is not shown
		return target{}, usageError("a URL is not s3://BUCKET or s3://BUCKET/PREFIX", "presign fetch downloads by a URL, presign doctor takes one apart that fails")
	}
	if !ok {
		return target{}, usageError(fmt.Sprintf("%q is not s3://BUCKET or s3://BUCKET/PREFIX", oneLine(s)), "the bucket comes before the keys: presign get s3://photos a.jpg")
	}
	var t target
	t.bucket, t.prefix, t.whole = strings.Cut(rest, "/")
	if t.bucket == "" {
		return target{}, usageError("there is no bucket behind s3://", "write s3://BUCKET")
	}
	return t, nil
}
