package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

const usage = `presign signs URLs for many S3 objects at once.

  presign get|head|put|delete [flags] s3://BUCKET[/PREFIX] [KEY ...]
  presign doctor [-response FILE] URL     what is wrong with a URL that fails
  presign completion bash|zsh|fish

Keys are arguments, or a list; PREFIX goes before each. With s3://BUCKET/PREFIX/
and no key it is everything under the prefix, with s3://BUCKET/KEY that key alone.

  -f FILE           a list: text, CSV, JSON Lines, Parquet, also .gz; - reads standard input
  -expires TIME     how long the URLs live: 15m, 12h, 7d, or seconds (default 15m)
  -format FORMAT    url (one a line, the default), json, compact, ndjson, csv, uri-list, aria2, curl
  -o NAME=VALUE     an option of the request, such as -o content_type=image/png; repeat it
  -out FILE         write to FILE, readable by you alone
  -region, -profile, -endpoint-url, -addressing    where, and as whom

  presign get s3://photos/2024/ -expires 1h -format aria2 > list && aria2c -i list
  presign put s3://photos -o content_type=image/png a.png b.png -format curl
  presign get s3://photos -f keys.csv.gz -format ndjson | jq -r .url
  presign doctor 'https://photos.s3.eu-west-1.amazonaws.com/a.jpg?X-Amz-...'

A URL is a secret: whoever has it may use it until it ends.
Exit status: 0 all signed; 1 some keys not (standard error says which); 2 nothing.
`

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
	commandNames = []string{"get", "head", "put", "delete", "doctor", "completion", "help", "version"}
	flagNames    = []string{"-f", "-expires", "-format", "-o", "-out", "-region", "-profile", "-endpoint-url", "-addressing"}
)

// complete writes a shell's completion.
func complete(args []string, s streams) error {
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
	-f|-out|-response) COMPREPLY=($(compgen -f -- "$word")) ;;
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
	default:
		return usageError(fmt.Sprintf("there is no completion for %q", args[0]), "there is one for bash, zsh and fish")
	}
	return nil
}
