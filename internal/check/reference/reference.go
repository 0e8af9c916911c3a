// Package reference holds docs/reference.md against the code: it writes the tables that the code itself knows, and finds
// what the code has and the document does not name. It is imported by tests only.
package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"bulkpresign/internal/s3op"
)

// Options is the table of all signing options of operations, in the order of their names.
func Options() string {
	ids := s3op.Options()
	slices.SortFunc(ids, func(a, b s3op.ID) int { return strings.Compare(a.String(), b.String()) })
	var b strings.Builder
	b.WriteString("| option | operations | value | goes into | the client sends |\n|---|---|---|---|---|\n")
	for _, id := range ids {
		var operations []string
		for _, o := range s3op.Operations() {
			if o.Has(id) {
				operations = append(operations, o.String())
			}
		}
		place, sends := Place(id)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", id, strings.Join(operations, ", "), kinds[id.Kind()], place, sends)
	}
	return b.String()
}

var kinds = map[s3op.Kind]string{
	s3op.Text:      "text",
	s3op.Timestamp: "RFC 3339 time",
	s3op.Integer:   "whole number",
	s3op.Boolean:   "true or false",
	s3op.StringMap: "object of texts",
	s3op.Integers:  "array of whole numbers",
	s3op.Texts:     "array of texts",
}

// Place tells where an option travels, and what the client has to do about it. An option that is short for another
// travels as that one does.
func Place(id s3op.ID) (place, sends string) {
	name := s3op.Option{ID: id}.WireName()
	if strings.HasPrefix(id.String(), "grant_") {
		return "nowhere: it is refused, since ACLs are off on new buckets", ""
	}
	switch {
	case name == "":
		return "the plan of the parts", "nothing"
	case isOnly(id, s3op.PostObject):
		return "the form's policy, `" + name + "`", "its field, where `fields` has it"
	}
	for _, other := range s3op.Options() {
		if !other.IsHeader() || (s3op.Option{ID: other}).WireName() != name {
			continue
		}
		if id.Kind() == s3op.StringMap {
			return "headers `" + name + "NAME`", "each, as in `headers`"
		}
		return "header `" + name + "`", "it, as in `headers`"
	}
	return "query, `" + name + "`", "nothing: it is in the URL"
}

// isOnly tells whether no other operation has an option.
func isOnly(id s3op.ID, only s3op.Operation) bool {
	return !slices.ContainsFunc(s3op.Operations(), func(o s3op.Operation) bool { return o.Has(id) != (o == only) })
}

// Region is what stands in a document between <!-- begin NAME --> and <!-- end NAME -->, and where.
func Region(document, name string) (text string, from, to int, err error) {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	from = strings.Index(document, begin)
	if from < 0 {
		return "", 0, 0, fmt.Errorf("there is no %q", begin)
	}
	from += len(begin)
	size := strings.Index(document[from:], end)
	if size < 0 {
		return "", 0, 0, fmt.Errorf("there is no %q", end)
	}
	return document[from : from+size], from, from + size, nil
}

// Constants are the values of the constants of a type in a Go file of any package.
func Constants(file, ofType string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return nil, err
	}
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := typeName(spec.Type); !ok || name != ofType {
			return true
		}
		for _, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					values = append(values, text)
				}
			}
		}
		return true
	})
	return values, nil
}

// typeName is the name of a type, without its package's.
func typeName(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name, true
	case *ast.SelectorExpr:
		return e.Sel.Name, true
	}
	return "", false
}

var variable = regexp.MustCompile(`"(PRESIGN_[A-Z_]+)"`)

// Variables are the names of environment variables that stand in a Go source.
func Variables(source string) []string {
	var names []string
	for _, match := range variable.FindAllStringSubmatch(source, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)|\bsrc(?:set)?="([^"\s]+)"`)

// Links are the targets of a Markdown document's links and pictures within the repository.
func Links(document string) []string {
	var targets []string
	for _, match := range link.FindAllStringSubmatch(prose(document), -1) {
		target := match[1] + match[2]
		if !strings.Contains(target, "://") && !strings.HasPrefix(target, "mailto:") {
			targets = append(targets, target)
		}
	}
	return targets
}

// Anchors are the names that links can use for a Markdown document's headings, in GitHub's form.
//
// https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links
func Anchors(document string) []string {
	var names []string
	seen := make(map[string]int)
	for line := range strings.Lines(prose(document)) {
		text := strings.TrimLeft(line, "#")
		if text == line || !strings.HasPrefix(text, " ") {
			continue
		}
		var b strings.Builder
		for _, c := range strings.ToLower(strings.TrimSpace(text)) {
			switch {
			case c == ' ':
				b.WriteByte('-')
			case c == '-' || c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c):
				b.WriteRune(c)
			}
		}
		name := b.String()
		if n := seen[name]; n > 0 {
			names = append(names, fmt.Sprintf("%s-%d", name, n))
		} else {
			names = append(names, name)
		}
		seen[name]++
	}
	return names
}

// prose is a Markdown document without its fenced and indented blocks of code.
func prose(document string) string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(document) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced && !strings.HasPrefix(line, "    ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
