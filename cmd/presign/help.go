package main

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// usage fits a terminal of 24 lines and 80 columns, and so does what each command has for -h.
const usage = `presign signs URLs for many S3 objects at once.

  presign get|head|put|delete [flags] s3://BUCKET[/PREFIX] [KEY ...]
  presign put DIR s3://BUCKET/PREFIX/    uploads; presign fetch downloads
  presign doctor [-response FILE] URL    what is wrong with a URL that fails

Keys are arguments or a list; PREFIX goes before each. With s3://BUCKET/PREFIX/
and no key it is all that is under the prefix, with s3://BUCKET/KEY that key.

  -f FILE          a list in any format, also compressed; - is standard input
  -expires TIME    how long the URLs live: 15m, 12h, 7d, or seconds (15m)
  -format FORMAT   url, json, compact, ndjson, csv, uri-list, aria2, curl
  -out FILE        write to FILE, readable by you alone
  presign get -h, put -h, fetch -h    show the other flags

  presign get s3://photos/2024/ -expires 1h -format aria2 > list
  presign put s3://photos -o content_type=image/png a.png b.png -format curl
  presign get s3://photos -f keys.csv.gz -format ndjson | jq -r .url

A URL is a secret: whoever has it may use it until it ends.
Exit status: 0 all signed; 1 some keys not (standard error says which);
2 nothing.
`

const signUsage = `presign %[1]s [flags] s3://BUCKET[/PREFIX] [KEY ...]

  -f FILE            keys from a list; - is standard input
  -list-format NAME  where its name does not say: txt, csv, tsv, jsonl, json,
                     parquet, inventory (one CSV of it), batch-report
  -key-encoding NAME how it writes keys: none, percent (S3 Batch Operations),
                     form (S3 Inventory), uri; -extra-columns ignore
  -expires TIME      15m, 12h, 7d, or seconds; 15m where it is not given
  -format FORMAT     url (one a line), json, compact, ndjson, csv, uri-list,
                     aria2, curl
  -o NAME=VALUE      an option of the request; repeat it
  -out FILE          write to FILE, readable by you alone
  -region REGION     the bucket's; else AWS_REGION, or the profile's
  -profile NAME      of ~/.aws/config, single sign-on included
  -function NAME     ask a deployed function (a name or an ARN), by Invoke
  -url URL           ask a deployed service, signed, or with the token that
                     is in -token-file FILE or -token-env VARIABLE
  -job s3://B/manifests/ -results s3://B/results/    a long list, as a job; or
  -job auto, with -function, whose settings say both; -v tells of its progress
  -state-machine ARN in place of -results: signed by many functions at a time
  -endpoint-url URL  another S3 than AWS's; it stands in every URL
  -addressing STYLE  virtual or path

%[2]s
`

const putUsage = `presign put [flags] s3://BUCKET[/PREFIX] [KEY ...]  signs URLs: see get -h
presign put [flags] DIR s3://BUCKET/PREFIX/          uploads what is in a folder
presign put [flags] FILE s3://BUCKET/KEY             uploads a file

It uploads where the first argument does not begin with s3:// (write a folder of
that name ./s3:). What is there already, byte for byte, is skipped; what was
stopped goes on. URLs are signed just before they are used.

  -n                 only say what would be uploaded
  -v                 tell of progress where there is no terminal
  -parallel N        transfers at a time (8); -stall TIME: one that stands still
                     so long is tried again (1m)
  -parts-from MIB    larger files go in parts (64)
  -follow-links      upload files that links lead to; else links are left out
  -o NAME=VALUE      of every object, such as storage_class=STANDARD_IA
  -expires TIME      of each URL (15m)
  -region, -profile, -endpoint-url, -addressing, -function, -url, -token-file,
  -token-env         as get -h says

  presign put album s3://photos/2026/album/ -o cache_control=max-age=3600
  presign put s3://photos/in/ a.png b.png -o content_type=image/png -format curl
`

const fetchUsage = `presign fetch [flags] LIST | URL | - | s3://BUCKET[/PREFIX/] [KEY ...]

Downloads what a list of URLs names, whatever its format (url, json, compact,
ndjson, csv, uri-list, aria2, curl; .gz too; - is standard input), or what is
under a prefix, signed here or by a service just before it is used. Nothing is
written outside of the folder. Checksums are compared; files that are there and
the same are skipped; what was stopped goes on.

  -to DIR            the folder (.)
  -n                 only say what would be downloaded
  -v                 tell of progress where there is no terminal
  -parallel N        transfers at a time (8); -stall TIME: one that stands still
                     so long is tried again (1m)
  -f FILE            keys for s3://BUCKET from a list in any format
  -o NAME=VALUE      an option of the request
  -expires TIME      of each URL that is signed (15m)
  -region, -profile, -endpoint-url, -addressing, -function, -url, -token-file,
  -token-env         as get -h says

  presign get s3://photos/2024/ -format aria2 | presign fetch - -to 2024
  presign fetch s3://photos/2024/ -to 2024
`

const doctorUsage = `presign doctor [-response FILE] [-json] URL

Takes a URL apart that fails, without sending it anywhere, and says what is
wrong, the likeliest first. Secrets are never shown whole.

  -response FILE  what S3 answered: its XML, compared with the URL line by line
  -json           the report as JSON
  -               in place of URL: read it from standard input

  curl -s "$URL" > answer.xml; presign doctor -response answer.xml "$URL"
`

const completionUsage = `presign completion bash|zsh|fish

Writes the completion for a shell to standard output.

  eval "$(presign completion bash)"           in ~/.bashrc; zsh in ~/.zshrc
  presign completion fish | source            in config.fish
`

// helpOf is what -h behind a command shows.
func helpOf(command string) string {
	switch command {
	case "get":
		return fmt.Sprintf(signUsage, command, "  presign get s3://photos/2024/ -o filename=album.jpg -expires 1h")
	case "head":
		return fmt.Sprintf(signUsage, command, "  presign head s3://photos -f inventory/2026-11-01T01-00Z/manifest.json")
	case "put":
		return putUsage
	case "fetch":
		return fetchUsage
	case "delete":
		return fmt.Sprintf(signUsage, command, "  presign delete s3://photos/2023/ -format ndjson -out delete.ndjson")
	case "doctor":
		return doctorUsage
	case "completion":
		return completionUsage
	}
	return usage
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "presign (unknown)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return strings.TrimSpace("presign "+v) + " " + info.GoVersion
}

// commands and flags that a shell may complete.
var (
	commandNames = []string{"get", "head", "put", "delete", "fetch", "doctor", "completion", "help", "version"}
	flagNames    = []string{"-f", "-list-format", "-key-encoding", "-extra-columns", "-expires", "-format", "-o", "-out", "-region", "-profile", "-endpoint-url", "-addressing", "-function", "-url", "-token-file", "-token-env", "-response", "-json", "-n", "-v", "-parallel", "-stall", "-parts-from", "-follow-links", "-to", "-job", "-results", "-state-machine"}
)

// complete writes a shell's completion.
func complete(args []string, s streams) error {
	if slices.Contains(args, "-h") || slices.Contains(args, "-help") || slices.Contains(args, "--help") {
		return errHelp
	}
	if len(args) != 1 {
		return usageError("completion wants the name of a shell", "presign completion bash, zsh or fish")
	}
	commands, flags, formats := strings.Join(commandNames, " "), strings.Join(flagNames, " "), strings.Join(formatNames(), " ")
	switch args[0] {
	case "bash", "zsh":
		if args[0] == "zsh" {
			fmt.Fprintln(s.out, "autoload -U +X bashcompinit && bashcompinit")
		}
		fmt.Fprintf(s.out, `_presign() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
	case $before in
	-format) COMPREPLY=($(compgen -W %q -- "$word")) ;;
	-list-format) COMPREPLY=($(compgen -W "txt csv tsv jsonl json parquet inventory batch-report" -- "$word")) ;;
	-key-encoding) COMPREPLY=($(compgen -W "none percent form uri" -- "$word")) ;;
	-addressing) COMPREPLY=($(compgen -W "virtual path" -- "$word")) ;;
	-f|-out|-response|-token-file) COMPREPLY=($(compgen -f -- "$word")) ;;
	-to) COMPREPLY=($(compgen -d -- "$word")) ;;
	*)
		if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W %q -- "$word"))
		elif [ "${word#-}" != "$word" ]; then COMPREPLY=($(compgen -W %q -- "$word"))
		else COMPREPLY=($(compgen -f -- "$word")); fi ;;
	esac
}
complete -F _presign presign
`, formats, commands, flags)
	case "fish":
		fmt.Fprintf(s.out, "complete -c presign -n __fish_use_subcommand -f -a %q\n", commands)
		for _, name := range flagNames {
			fmt.Fprintf(s.out, "complete -c presign -o %s\n", strings.TrimPrefix(name, "-"))
		}
		fmt.Fprintf(s.out, "complete -c presign -o format -x -a %q\n", formats)
		fmt.Fprint(s.out, `complete -c presign -o list-format -x -a "txt csv tsv jsonl json parquet inventory batch-report"
complete -c presign -o key-encoding -x -a "none percent form uri"
complete -c presign -o addressing -x -a "virtual path"
`)
	default:
		return usageError(fmt.Sprintf("there is no completion for %q", args[0]), "there is one for bash, zsh and fish")
	}
	return nil
}
