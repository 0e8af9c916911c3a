// Security looks for known vulnerabilities and for dangerous code in what the functions are made of, and writes their
// bills of materials.
//
//	security check        gosec over the functions' packages, govulncheck over the module
//	security sbom FOLDER  a CycloneDX bill of materials for each FOLDER/NAME/bootstrap, beside it
//
// The vulnerability database is https://vuln.go.dev, or what GOVULNDB names, such as file:///a/copy. Where it is out of
// reach the check fails, unless VULNDB_OPTIONAL=1 says that a run without it is better than none; it says so then.
package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	gosec       = "github.com/securego/gosec/v2/cmd/gosec@v2.30.0"
	govulncheck = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
	cyclonedx   = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "check":
		err = check()
	case len(os.Args) == 3 && os.Args[1] == "sbom":
		err = sbom(os.Args[2])
	default:
		err = errors.New("usage: security check | security sbom FOLDER")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "security:", err)
		os.Exit(1)
	}
}

// A suppression says why what gosec calls dangerous is not, in the files whose paths begin like this.
type suppression struct {
	rule, path, reason string
}

// suppressions: one that suppresses nothing any more is a finding itself.
var suppressions = []suppression{
	{"G103", "internal/strictjson/", "unsafe.String over bytes that are never written again: a request of 6 MB is not copied key by key"},
	{"G103", "internal/manifest/reader.go", "the same, for the lines of a list"},
	{"G103", "internal/sigv4/sha256x16/", "views of fixed arrays, which the assembly takes as pointers; the portable twin is tested against it"},
	{"G104", "internal/sigv4/keyedhash.go", "a hash's Write never fails (hash.Hash)"},
	{"G104", "internal/sigv4/batch.go", "a hash's Write never fails (hash.Hash)"},
	{"G104", "internal/manifest/inventory.go", "a hash's Write never fails (hash.Hash)"},
	{"G104", "internal/manifest/parquet.go", "the reader of a page is closed after all was read"},
	{"G104", "internal/s3op/form.go", "a strings.Builder's writes never fail"},
	{"G104", "internal/sigv4/post.go", "a hash's Write never fails (hash.Hash)"},
	{"G104", "internal/objects/objects.go", "the body of a GET is closed when its connection is given up"},
	{"G104", "internal/runtimeclient/", "a bufio.Writer keeps its error and Flush, which is looked at, gives it; a connection that is given up may fail to close"},
	{"G115", "internal/bulk/", "counts and offsets of a request, which has 6 MB at most, or of a batch of a list, which is bounded"},
	{"G115", "internal/deflate/", "the low bits are what is meant (RFC 1951, RFC 1952); lengths are those of an answer in memory"},
	{"G115", "internal/delivery/writer.go", "S3 takes 10,000 parts, and the writer stops before"},
	{"G115", "internal/manifest/pages.go", "a field's id and an encoding of a Parquet page's header, cut to the size that the format gives them; what does not fit is none that is looked for"},
	{"G115", "internal/sigv4/post.go", "the length of a message in memory (FIPS 180-4, section 5.1.1)"},
	{"G115", "internal/sigv4/plan.go", "the index of a key, of which a batch in memory has fewer than 2^32"},
	{"G115", "internal/sigv4/keyedhash.go", "the length of a message in memory (FIPS 180-4, section 5.1.1)"},
	{"G115", "internal/sigv4/message.go", "the length of a message in memory (FIPS 180-4, section 5.1.1)"},
	{"G115", "internal/sqsqueue/", "the seconds of a visibility timeout, which is an hour at most"},
	{"G304", "internal/config/config.go", "the file is named by the operator's own configuration, never by a caller"},
	{"G401", "internal/manifest/", "S3 Inventory's manifest gives MD5, against broken copies; nothing is trusted for it"},
	{"G401", "internal/s3op/encryption.go", "S3 wants the MD5 of a customer's key beside it, against broken copies; nothing is trusted for it"},
	{"G404", "internal/s3query/s3query.go", "the jitter of a pause between attempts"},
	{"G501", "internal/s3op/encryption.go", "as G401 there"},
	{"G602", "internal/manifest/pages.go", "two fields deep at most, which the line before looks at"},
	{"G602", "internal/sigv4/post.go", "as many lanes as the kernel has, which its caller sees to"},
	{"G501", "internal/manifest/", "S3 Inventory's manifest gives MD5, against broken copies; nothing is trusted for it"},
}

// unread is what gosec says of a package whose functions are assembly, ten times and then no more; go vet checks those.
var unread = regexp.MustCompile(`^#|missing function body$|^internal/sigv4/.*too many errors$`)

func check() error {
	findings, files, err := dangerous()
	if err != nil {
		return err
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	known, err := vulnerable()
	if err != nil {
		return err
	}
	fmt.Printf("security: gosec %d findings in %d files, %d kinds suppressed with a reason; %s\n", len(findings), files, len(suppressions), known)
	if len(findings) > 0 {
		return errors.New("gosec has findings")
	}
	return nil
}

// dangerous is what gosec finds in the packages that the functions are made of.
func dangerous() (findings []string, files int, err error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, 0, err
	}
	list, err := output("go", "list", "-deps", "-f", `{{if not .Standard}}{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}{{end}}`, "./functions/...")
	if err != nil {
		return nil, 0, err
	}
	dirs := strings.Fields(list)
	report, err := os.CreateTemp("", "gosec")
	if err != nil {
		return nil, 0, err
	}
	defer os.Remove(report.Name())
	defer report.Close()
	// It exits 1 when it finds something, and the report is read either way.
	run := exec.Command("go", append([]string{"run", gosec, "-quiet", "-fmt", "json", "-out", report.Name()}, dirs...)...)
	said, runErr := run.CombinedOutput()
	var found struct {
		Issues []struct {
			Rule    string `json:"rule_id"`
			File    string
			Line    string
			Details string
		}
		Errors map[string][]struct{ Error string } `json:"Golang errors"`
		Stats  struct{ Files int }
	}
	if err := json.NewDecoder(report).Decode(&found); err != nil || found.Stats.Files == 0 {
		return nil, 0, fmt.Errorf("gosec: %w\n%s", cmp.Or(runErr, err, errors.New("it read no file")), said)
	}
	used := make([]bool, len(suppressions))
	for _, i := range found.Issues {
		path, err := filepath.Rel(root, i.File)
		if err != nil {
			return nil, 0, err
		}
		at := slices.IndexFunc(suppressions, func(s suppression) bool { return s.rule == i.Rule && strings.HasPrefix(path, s.path) })
		if at < 0 {
			findings = append(findings, fmt.Sprintf("%s:%s: %s %s", path, i.Line, i.Rule, i.Details))
			continue
		}
		used[at] = true
	}
	for i, s := range suppressions {
		if !used[i] {
			findings = append(findings, fmt.Sprintf("%s in %s is suppressed, and not found any more", s.rule, s.path))
		}
	}
	for _, errs := range found.Errors {
		for _, e := range errs {
			for line := range strings.Lines(e.Error) {
				if line = strings.TrimSpace(line); !unread.MatchString(line) {
					findings = append(findings, "gosec could not read: "+line)
				}
			}
		}
	}
	return findings, found.Stats.Files, nil
}

// vulnerable says what govulncheck found, or that nobody looked.
func vulnerable() (string, error) {
	database := cmp.Or(os.Getenv("GOVULNDB"), "https://vuln.go.dev")
	if err := reach(database); err != nil {
		if os.Getenv("VULNDB_OPTIONAL") != "1" {
			return "", fmt.Errorf("known vulnerabilities were not looked for: %w\n"+
				"set GOVULNDB to a copy of the database, or VULNDB_OPTIONAL=1 to go on without", err)
		}
		fmt.Printf("\nKNOWN VULNERABILITIES WERE NOT LOOKED FOR: %v\n\n", err)
		return "known vulnerabilities NOT LOOKED FOR, " + database + " is out of reach", nil
	}
	run := exec.Command("go", "run", govulncheck, "-db", database, "./...")
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	if err := run.Run(); err != nil {
		return "", fmt.Errorf("govulncheck: %w", err)
	}
	return "no known vulnerability is reachable (" + database + ")", nil
}

// reach looks whether there is a vulnerability database.
func reach(database string) error {
	if path, ok := strings.CutPrefix(database, "file://"); ok {
		_, err := os.Stat(filepath.Join(path, "index", "modules.json"))
		return err
	}
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Head(strings.TrimSuffix(database, "/") + "/index/modules.json.gz")
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", database, response.Status)
	}
	return nil
}

// sbom writes a bill of materials for each function's binary and holds it against the binary's own build information.
func sbom(folder string) error {
	binaries, err := filepath.Glob(filepath.Join(folder, "*", "bootstrap"))
	if err != nil || len(binaries) == 0 {
		return fmt.Errorf("%s holds no function; make build builds them", folder)
	}
	for _, binary := range binaries {
		bill := filepath.Join(filepath.Dir(binary), "bom.json")
		if _, err := output("go", "run", cyclonedx, "bin", "-json", "-std", "-licenses=false", "-output", bill, binary); err != nil {
			return err
		}
		listed, err := modulesOfBill(bill)
		if err != nil {
			return err
		}
		built, err := modulesOfBinary(binary)
		if err != nil {
			return err
		}
		if !slices.Equal(listed, built) {
			return fmt.Errorf("%s lists %v, and the binary is made of %v", bill, listed, built)
		}
		fmt.Printf("%s: %d modules and the standard library, as in the binary\n", bill, len(built))
	}
	return nil
}

// modulesOfBill are the third-party modules that a bill lists, as path@version.
func modulesOfBill(path string) (modules []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var bill struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		return nil, err
	}
	if bill.BOMFormat != "CycloneDX" {
		return nil, fmt.Errorf("%s is in the format %q", path, bill.BOMFormat)
	}
	for _, c := range bill.Components {
		if c.Name != "std" {
			modules = append(modules, c.Name+"@"+c.Version)
		}
	}
	slices.Sort(modules)
	return modules, nil
}

// modulesOfBinary are those that go version -m lists.
func modulesOfBinary(path string) (modules []string, err error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		for m.Replace != nil {
			m = m.Replace
		}
		modules = append(modules, m.Path+"@"+m.Version)
	}
	slices.Sort(modules)
	return modules, nil
}

func output(name string, args ...string) (string, error) {
	var said, complaint bytes.Buffer
	run := exec.Command(name, args...)
	run.Stdout, run.Stderr = &said, &complaint
	if err := run.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, complaint.Bytes())
	}
	return said.String(), nil
}
