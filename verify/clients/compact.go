package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// expansion is a way to write out the compact format, as the document gives it.
type expansion struct {
	language string
	err      error
}

// languages frames the document's lines into a program that reads answer.json and prints the map as JSON.
var languages = []struct {
	name, block, file string
	frame             string // %s is the document's block
	run               []string
}{
	{"JavaScript", "js", "expand.mjs", `import { readFileSync } from "node:fs";
const answer = JSON.parse(readFileSync("answer.json", "utf8"));
%s
process.stdout.write(JSON.stringify([...urls]));
`, []string{"node", "expand.mjs"}},
	{"Python", "python", "expand.py", `import json
answer = json.load(open("answer.json", encoding="utf-8"))
%s
print(json.dumps(list(urls.items())))
`, []string{"python3", "expand.py"}},
	{"Go", "go", "expand.go", `package main

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
)

func main() {
	text, _ := os.ReadFile("answer.json")
	var answer struct {
		Base, Query      string
		Signatures, URLs map[string]string
	}
	json.Unmarshal(text, &answer)
	urls := map[string]string{}
	for key, url := range answer.URLs {
		urls[key] = url
	}
%s
	pairs := [][2]string{}
	for key, url := range urls {
		pairs = append(pairs, [2]string{key, url})
	}
	json.NewEncoder(os.Stdout).Encode(pairs)
}
`, []string{"go", "run", "expand.go"}},
	{"shell", "sh", "expand.sh", `set -eu
{
%s
} | jq 'to_entries | map([.key, .value])'
`, []string{"sh", "expand.sh"}},
}

// expansions runs each on a compact answer and compares with the json answer of the same second.
func (c *bench) expansions(ctx context.Context) ([]expansion, error) {
	doc, err := os.ReadFile(c.doc)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, name := range c.names() {
		items = append(items, name)
	}
	// Names that mean something to a language's own maps, and an item whose options give it a query of its own.
	items = append(items, "__proto__", "constructor", "10", "9", map[string]any{"key": "own options", "response_content_type": "text/plain"})
	request := map[string]any{"allow_dot_segments": true, "keys": items}
	var plain struct {
		SignedAt string `json:"signed_at"`
		URLs     map[string]string
	}
	var compact json.RawMessage
	for {
		var second struct {
			SignedAt string `json:"signed_at"`
			URLs     map[string]string
		}
		delete(request, "format")
		if err := c.sign(ctx, request, &plain); err != nil {
			return nil, err
		}
		request["format"] = "compact"
		if err := c.sign(ctx, request, &compact); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(compact, &second); err != nil {
			return nil, err
		}
		if len(second.URLs) != 1 {
			return nil, fmt.Errorf("the compact answer has %d whole URLs, want 1", len(second.URLs))
		}
		if plain.SignedAt == second.SignedAt {
			break
		}
	}
	if len(plain.URLs) != len(items) {
		return nil, fmt.Errorf("%d URLs for %d keys", len(plain.URLs), len(items))
	}

	var done []expansion
	for _, l := range languages {
		done = append(done, expansion{l.name, func() error {
			block := regexp.MustCompile("(?s)\n```" + l.block + "\n(.*?)\n```\n").FindSubmatch(doc)
			if block == nil {
				return fmt.Errorf("%s has no block of it", c.doc)
			}
			folder, err := os.MkdirTemp(c.scratch, "expand")
			if err != nil {
				return err
			}
			program := fmt.Sprintf(l.frame, block[1])
			if err := errors.Join(
				os.WriteFile(filepath.Join(folder, "answer.json"), compact, 0o600),
				os.WriteFile(filepath.Join(folder, l.file), []byte(program), 0o600),
			); err != nil {
				return err
			}
			cmd := exec.CommandContext(ctx, l.run[0], l.run[1:]...)
			cmd.Dir = folder
			out, err := cmd.Output()
			if err != nil {
				return err
			}
			var pairs [][2]string
			if err := json.Unmarshal(out, &pairs); err != nil {
				return fmt.Errorf("its output is not JSON: %w", err)
			}
			got := map[string]string{}
			for _, p := range pairs {
				got[p[0]] = p[1]
			}
			if maps.Equal(got, plain.URLs) && len(pairs) == len(got) {
				return nil
			}
			for key, url := range plain.URLs {
				if got[key] != url {
					return fmt.Errorf("%d URLs, want %d; wrong or missing for %q", len(got), len(plain.URLs), key)
				}
			}
			return fmt.Errorf("%d URLs, want %d", len(got), len(plain.URLs))
		}()})
	}
	return done, nil
}
