package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tool is one way to have a program read data behind a URL. Its call stands in the document as it is run here.
type tool struct {
	name    string // of the program, as versions have it
	imports string // what a Python call needs; "" for a call of the shell
	call    string // with url, or $URL and $INDEX, for signed URLs of GET, and $FILE for the file itself
	file    string // which of the files that data.sh makes
	local   string // of the shell: does the same with $FILE; "" for the same call, with paths for URLs
	add     string // what to know, or to do
	wheel   bool   // the name of the file has a meaning, so that only its folder is awkward
}

var tools = []tool{
	{name: "curl", call: `curl -sf --range 100-199 "$URL"`, file: "table.csv", local: `head -c 200 "$FILE" | tail -c 100`},
	{name: "curl", call: `curl -sf --head "$URL"`, file: "table.csv", local: `cat "$FILE"`, add: "a URL for GET is none for HEAD: `--range 0-0`, or sign `HeadObject`"},
	{name: "wget", call: `head -c 999 "$FILE" >out; wget -qc -O out "$URL"`, file: "table.csv", local: `cp "$FILE" out`, add: "goes on where a download stopped"},
	{name: "wget", call: `wget -q --spider "$URL" && cat "$FILE"`, file: "table.csv", local: `cat "$FILE"`, add: "asks by HEAD, and again by GET after some errors, of which 403 is none: sign `HeadObject`"},
	{name: "aria2c", call: `aria2c -q -x 4 -s 4 -k 1M -o out "$URL"`, file: "large.tif", local: `cp "$FILE" out`, add: "four connections"},
	{name: "rclone", call: `rclone copyurl "$URL" out`, file: "table.csv", local: `cp "$FILE" out`},
	{name: "rclone", call: `rclone copyurl --auto-filename "$URL" .`, file: "table.csv", local: `cp "$FILE" .`, add: "the name is the key's last part"},
	{name: "rclone", call: `rclone cat --http-url "$URL" :http:`, file: "table.csv", local: `cat "$FILE"`, add: "use `copyurl`"},
	{name: "git-annex", call: `git init -q r; cd r; git config annex.security.allowed-ip-addresses all; git annex init -q; git annex addurl -q --file=out "$URL"; cat out`, file: "table.csv", local: `cat "$FILE"`, add: "its branch keeps the URL whole, so push it nowhere while the URL lives; the setting is for 127.0.0.1 alone"},
	{name: "pip", call: `pip -q download --no-deps --no-index "$URL"`, file: "tiny-1.0-py3-none-any.whl", local: `cp "$FILE" .`, wheel: true, add: "the key must end in the wheel's name"},

	{name: "pandas", imports: "pandas", call: `pandas.read_csv(url).n.sum()`, file: "table.csv"},
	{name: "pandas", imports: "pandas", call: `pandas.read_parquet(url).n.sum()`, file: "table.parquet", add: "all of the file; polars, pyarrow and DuckDB fetch only what they need"},
	{name: "polars", imports: "polars", call: `polars.read_csv(url)["n"].sum()`, file: "table.csv", add: "its HEAD may fail"},
	{name: "polars", imports: "polars", call: `polars.scan_csv(url).select("n").collect()["n"].sum()`, file: "table.csv"},
	{name: "polars", imports: "polars", call: `polars.read_parquet(url)["n"].sum()`, file: "table.parquet"},
	{name: "polars", imports: "polars", call: `polars.scan_parquet(url).select("n").collect()["n"].sum()`, file: "table.parquet"},
	{name: "polars", imports: "polars, fsspec", call: `polars.read_parquet(fsspec.open(url).open())["n"].sum()`, file: "table.parquet", add: "no better than the URL itself"},
	{name: "pyarrow", imports: "pyarrow.parquet, pyarrow.compute", call: `pyarrow.compute.sum(pyarrow.parquet.read_table(url)["n"])`, file: "table.parquet", add: "pyarrow has no file system for http(s): the next"},
	{name: "pyarrow", imports: "pyarrow.parquet, pyarrow.compute, fsspec", call: `pyarrow.compute.sum(pyarrow.parquet.read_table(fsspec.open(url).open(), columns=["n"])["n"])`, file: "table.parquet", add: "see fsspec"},
	{name: "fsspec", imports: "fsspec", call: `len(fsspec.open(url).open().read())`, file: "table.csv", add: "asks for the size by HEAD, then by GET; writes `%2F` as `/` and the like"},
	{name: "fsspec", imports: "fsspec", call: `len(fsspec.open(url, encoded=True).open().read())`, file: "table.csv", local: `len(fsspec.open(url).open().read())`, add: "the URL as it is"},
	{name: "DuckDB", imports: "duckdb, duckdb_ext", call: `duckdb.sql(f"SELECT sum(n) FROM read_parquet('{url}')").fetchone()`, file: "table.parquet", add: "with the extension httpfs"},
	{name: "DuckDB", imports: "duckdb, duckdb_ext", call: `duckdb.sql(f"SELECT sum(n) FROM read_csv('{url}')").fetchone()`, file: "table.csv", add: "the same"},
	{name: "DuckDB", imports: "duckdb, fsspec", call: `db = duckdb.connect(); db.register_filesystem(fsspec.filesystem("http")); db.sql(f"SELECT sum(n) FROM read_parquet('{url}')").fetchone()`, file: "table.parquet", add: "DuckDB asks when the file was modified, which fsspec does not know for http: use httpfs"},
	{name: "xarray", imports: "xarray, fsspec", call: `xarray.open_dataset(fsspec.open(url).open(), engine="h5netcdf").n.sum().item()`, file: "grid.nc", add: "h5py's own driver ros3 is not in its wheel"},

	{name: "GDAL", call: `gdalinfo -checksum "/vsicurl/$URL" | grep Checksum`, file: "grid.tif", local: `gdalinfo -checksum "$FILE" | grep Checksum`, add: "sees that the URL is signed, and asks not by HEAD; lists the folder, in vain: as below, it does not"},
	{name: "GDAL", call: `GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR gdalinfo -checksum "/vsicurl/$URL" | grep Checksum`, file: "grid.tif", local: `gdalinfo -checksum "$FILE" | grep Checksum`},
	{name: "GDAL", call: `gdalinfo -checksum "/vsicurl?list_dir=no&url=$(jq -rn --arg u "$URL" '$u|@uri')" | grep Checksum`, file: "grid.tif", local: `gdalinfo -checksum "$FILE" | grep Checksum`},
	{name: "rasterio", imports: "rasterio", call: `rasterio.open(url).read().sum()`, file: "grid.tif", add: "GDAL's environment works here too"},

	{name: "samtools", call: `samtools view -c "$URL"`, file: "reads.bam"},
	{name: "samtools", call: `samtools view -c "$URL" one:1-2000`, file: "reads.bam", local: `samtools view -c "$FILE##idx##$INDEXFILE" one:1-2000`, add: "looks for the index under names that it makes up: give it a URL of its own, as below"},
	{name: "samtools", call: `samtools view -c "$URL##idx##$INDEX" one:1-2000`, file: "reads.bam", add: "leaves a copy of the index where it runs, by the key's escaped name, and uses it the next time", local: `cp "$INDEXFILE" "$(basename "$FILE" | jq -rR @uri).index"; samtools view -c "$FILE##idx##$INDEXFILE" one:1-2000`},
	{name: "samtools", call: `samtools view -c -X "$URL" "$INDEX" one:1-2000`, file: "reads.bam", add: "the same", local: `cp "$INDEXFILE" "$(basename "$FILE" | jq -rR @uri).index"; samtools view -c "$FILE##idx##$INDEXFILE" one:1-2000`},

	{name: "ffprobe", call: `ffprobe -v error -show_entries format=duration -of csv "$URL"`, file: "film.mp4"},
	{name: "ffmpeg", call: `ffmpeg -v error -ss 8 -i "$URL" -frames:v 1 -f framemd5 -`, file: "film.mp4", add: "seeks by `Range`"},
	{name: "mpv", call: `mpv --no-config --really-quiet --start=8 --frames=1 --ao=null --vo=image --vo-image-format=png --vo-image-outdir=o "$URL"; cat o/*`, file: "film.mp4", add: "the same"},
}

// variants are the keys that each file has.
var variants = []struct{ name, folder, file string }{
	{"plain", "data/", ""},
	{"space and &", "data & more/", "my & "},
	{"Arabic", "بيانات/", "ملف-"},
	{"+ and %", "50%/1+1/", "2+2=100%25 "},
}

// use is what became of a tool's call.
type use struct {
	tool
	version  string
	requests []string // kinds of requests, each once, as they came for the plain key; then what others have more
	works    []string // the variants where the result is that of the file itself
}

// measureTools has each tool read each file under each key.
func (c *bench) measureTools(ctx context.Context) ([]use, error) {
	versions, err := c.toolVersions(ctx)
	if err != nil {
		return nil, err
	}
	made := filepath.Join(c.scratch, "data")
	if err := command(ctx, nil, filepath.Join(c.here, "data.sh"), c.python, made); err != nil {
		return nil, err
	}
	var uses []use
	for _, t := range tools {
		u, err := c.use(ctx, t, made)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.call, err)
		}
		if u.version = versions[t.name]; u.version == "" {
			return nil, fmt.Errorf("%s says no version", t.name)
		}
		uses = append(uses, u)
	}
	return uses, nil
}

func (c *bench) use(ctx context.Context, t tool, made string) (use, error) {
	u := use{tool: t}
	folder, err := os.MkdirTemp(c.scratch, "tool")
	if err != nil {
		return u, err
	}
	// What the tool reads, in one batch: a key and its index for each variant.
	var keys []string
	content, err := os.ReadFile(filepath.Join(made, t.file))
	if err != nil {
		return u, err
	}
	index, err := os.ReadFile(filepath.Join(made, "reads.bam.bai"))
	if err != nil {
		return u, err
	}
	for i, v := range variants {
		key := v.folder + v.file + t.file
		if t.wheel {
			key = v.folder + t.file
		}
		keys = append(keys, key)
		local := filepath.Join(folder, fmt.Sprint("file", i))
		err := errors.Join(os.Mkdir(local, 0o700), os.WriteFile(filepath.Join(local, path.Base(key)), content, 0o600),
			os.WriteFile(filepath.Join(local, "index"), index, 0o600), c.s3.Put(bucket, key, content), c.s3.Put(bucket, key+".index", index))
		if err != nil {
			return u, err
		}
	}
	var answer struct{ URLs map[string]string }
	both := slices.Clone(keys)
	for _, key := range keys {
		both = append(both, key+".index")
	}
	if err := c.sign(ctx, map[string]any{"keys": both}, &answer); err != nil {
		return u, err
	}
	run, end, err := c.runner(ctx, t, folder)
	if err != nil {
		return u, err
	}
	defer end()
	for i, key := range keys {
		local := filepath.Join(folder, fmt.Sprint("file", i))
		file, indexFile := filepath.Join(local, path.Base(key)), filepath.Join(local, "index")
		want, err := run(cmp.Or(t.local, t.call), file, indexFile, file, indexFile)
		if err != nil || want == "" || want == "failed" {
			return u, fmt.Errorf("does not work with the file itself: %w %q", err, redacted(want))
		}
		address := answer.URLs[key]
		c.front.forget()
		got, err := run(t.call, address, answer.URLs[key+".index"], file, indexFile)
		if err != nil {
			return u, err
		}
		if c.explain && got != want && len(got)+len(want) < 2000 {
			fmt.Printf("  %s: %q for %q\n", t.call, redacted(got), want)
		}
		if got == want {
			u.works = append(u.works, variants[i].name)
		}
		for _, r := range c.front.requests() {
			kind := r.kind(address, answer.URLs[key+".index"])
			if c.explain {
				fmt.Println(" ", t.name, kind, r.ranges, strings.Split(r.target, "?")[0])
			}
			if !slices.Contains(u.requests, kind) {
				u.requests = append(u.requests, kind)
			}
		}
	}
	return u, nil
}

// kind says what a request is, beside the URLs that the tool was given.
func (r request) kind(address, index string) string {
	kind := r.method
	if r.ranges != "" {
		kind += " `Range`"
	}
	asked, err := url.ParseRequestURI(r.target)
	if err != nil {
		return kind + " of no URL"
	}
	signed, err1 := url.Parse(address)
	its, err2 := url.Parse(index)
	if errors.Join(err1, err2) != nil {
		return kind + " beside a URL that is none"
	}
	same := func(u *url.URL) bool {
		return u.Path == asked.Path && maps.EqualFunc(u.Query(), asked.Query(), slices.Equal)
	}
	switch {
	case r.target == signed.RequestURI():
	case r.target == its.RequestURI():
		kind += " of the index"
	case same(signed), same(its):
		kind += " respelled"
	case asked.Path == signed.Path && asked.RawQuery == "":
		kind += " without the query"
	case asked.Path == signed.Path:
		kind += " with another query"
	case path.Dir(signed.Path) == strings.TrimSuffix(asked.Path, "/"):
		kind += " of the folder"
	default:
		kind += " of another path"
	}
	return fmt.Sprintf("%s %d", kind, r.status)
}

// runner returns what runs a call, and what ends it. A call that fails has a result of its own; an error says that it
// could not be run.
func (c *bench) runner(ctx context.Context, t tool, folder string) (run func(call, url, index, file, indexFile string) (string, error), end func(), err error) {
	if t.imports == "" {
		return func(call, url, index, file, indexFile string) (string, error) {
			return c.shell(ctx, call, url, index, file, indexFile)
		}, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	cmd := exec.CommandContext(ctx, c.python, filepath.Join(c.here, "tools.py"), t.imports)
	cmd.Dir = folder
	if abs, err := filepath.Abs(c.here); err == nil {
		cmd.Args[1] = filepath.Join(abs, "tools.py")
	}
	if c.explain {
		cmd.Env, cmd.Stderr = append(os.Environ(), "EXPLAIN=1"), os.Stderr
	}
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		cancel()
		return nil, nil, err
	}
	lines := bufio.NewReader(stdout)
	run = func(call, url, _, _, _ string) (string, error) {
		task, err := json.Marshal(map[string]string{"call": call, "url": url})
		if err != nil {
			return "", err
		}
		if _, err := stdin.Write(append(task, '\n')); err != nil {
			return "", err
		}
		line, err := lines.ReadString('\n')
		return strings.TrimSpace(line), err
	}
	return run, func() { stdin.Close(); cmd.Wait(); cancel() }, nil
}

// shell runs a call in a folder of its own. What it printed and the files that it left are its result.
func (c *bench) shell(ctx context.Context, call, url, index, file, indexFile string) (string, error) {
	folder, err := os.MkdirTemp(c.scratch, "call")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", call)
	cmd.Dir = folder
	cmd.WaitDelay = 5 * time.Second
	// A home of its own: nobody's settings, and no cache.
	cmd.Env = append(os.Environ(), "HOME="+folder+"/.home", "PATH="+filepath.Dir(c.python)+":"+os.Getenv("PATH"), "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_CACHE_DIR=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"URL="+url, "INDEX="+index, "FILE="+file, "INDEXFILE="+indexFile)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit):
		if c.explain {
			fmt.Printf("%s: %v: %s\n", call, err, redacted(stderr.String()))
		}
		return "failed", nil
	case err != nil:
		return "", err
	}
	if c.explain && stderr.Len() > 0 {
		fmt.Printf("  %s: %s\n", call, redacted(stderr.String()))
	}
	result := stdout.String()
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return "", err
		}
		result += e.Name() + "\n" + string(content)
	}
	return result, nil
}

// toolVersions asks each program who it is.
func (c *bench) toolVersions(ctx context.Context) (map[string]string, error) {
	versions := map[string]string{}
	number := regexp.MustCompile(`\d+(\.\d+)+`)
	for name, call := range map[string]string{
		"curl": "curl --version", "wget": "wget --version", "aria2c": "aria2c --version", "rclone": "rclone version", "git-annex": "git annex version --raw",
		"GDAL": "gdalinfo --version", "samtools": "samtools --version", "ffmpeg": "ffmpeg -version", "ffprobe": "ffprobe -version", "mpv": "mpv --version",
	} {
		out, err := exec.CommandContext(ctx, "sh", "-c", call).Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", call, err)
		}
		versions[name] = number.FindString(string(out))
	}
	var packages map[string]string
	out, err := exec.CommandContext(ctx, c.python, "-c",
		"import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))").Output()
	if err == nil {
		err = json.Unmarshal(out, &packages)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"pip", "pandas", "polars", "pyarrow", "fsspec", "DuckDB", "xarray", "rasterio"} {
		versions[name] = packages[strings.ToLower(name)]
	}
	return versions, nil
}

// row is a line of the table, but for the version, which is only told: another one that does the same is none other.
func (u use) row() (begin, end string) {
	code := func(s string) string {
		s = strings.ReplaceAll(s, "|", `\|`)
		if strings.Contains(s, "`") {
			return "`` " + s + " ``"
		}
		return "`" + s + "`"
	}
	works := "yes"
	switch len(u.works) {
	case 0:
		works = "no"
	case len(variants):
	default:
		works = "only " + strings.Join(u.works, ", ")
	}
	return "| " + u.name, fmt.Sprintf("| %s | %s | %s | %s |", code(u.call), works, cmp.Or(strings.Join(u.requests, ", "), "none"), u.add)
}

func toolsAsTable(uses []use) string {
	var b strings.Builder
	b.WriteString("| tool | call | works | requests, and the server's statuses | to know |\n|---|---|---|---|---|\n")
	for _, u := range uses {
		begin, end := u.row()
		fmt.Fprintf(&b, "%s %s %s\n", begin, u.version, end)
	}
	return b.String()
}

// compareTools reports each tool that did otherwise than the document says, and returns how many did not.
func (c *bench) compareTools(uses []use, fail func(string, error)) (good int, err error) {
	_, table, _, err := c.split(toolsTable)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")
	if len(lines) != len(uses)+2 {
		return 0, fmt.Errorf("%d calls of tools in the table, %d measured; -update writes it", len(lines)-2, len(uses))
	}
	for i, u := range uses {
		begin, end := u.row()
		if line := lines[i+2]; !strings.HasPrefix(line, begin+" ") || !strings.HasSuffix(line, " "+end) {
			fail(u.name, fmt.Errorf("with version %s: %s", u.version, end))
			continue
		}
		good++
	}
	return good, nil
}

// runTools is run with the tools alone.
func (c *bench) runTools(ctx context.Context, update bool) bool {
	failed := 0
	fail := func(what string, err error) {
		failed++
		fmt.Printf("FAIL %s: %v\n", what, err)
	}
	uses, err := c.measureTools(ctx)
	if err == nil && update {
		err = c.writeTable(toolsTable, toolsAsTable(uses))
	}
	if err != nil {
		fail("tools", err)
	}
	good, err := c.compareTools(uses, fail)
	if err != nil {
		fail(c.doc, err)
	}
	fmt.Printf("clients: %d/%d calls of tools that read data as expected\n", good, len(uses))
	return failed == 0
}
