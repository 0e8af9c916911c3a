// Capacity computes what a list of any length takes the state machine: time and money, by keys, memory and processor, beside a
// function in Python that does the same in boto3's loop. It measures nothing: its figures are those of docs/speed.md, and prices
// that were looked up. The tables and the picture of docs/scale.md are its output.
//
//	go -C bench run ./capacity ../docs/scale.md ../docs/pictures
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"bulkpresign/bench/picture"
)

// What was measured, on one virtual processor of x86_64 (docs/speed.md, "A list of any length").
const (
	secondsPerMillion = 2.2     // CPU time of a million entries; the slower of the two machines there
	boto3PerSecond    = 3_250.0 // URLs a second of boto3's loop on the faster one
	resultPerMillion  = 70e6    // bytes of result.ndjson.gz
	inputPerMillion   = 64e6    // bytes of a list, read in ranges
)

// What is taken to be, and was not measured.
const (
	childSeconds = 1.0 // for a child execution to begin and to end, beside its function
	ioSeconds    = 0.5 // that a function waits for S3, over a shard
	planSeconds  = 5.0 // plan and finish
)

// Prices in US dollars, us-east-1, as public pages had them in 2026; the free tier is left out.
//
//   - https://aws.amazon.com/lambda/pricing/
//   - https://aws.amazon.com/step-functions/pricing/
//   - https://aws.amazon.com/s3/pricing/
const (
	lambdaX86     = 0.0000166667   // a GB-second
	lambdaARM     = 0.0000133334   // a GB-second
	lambdaRequest = 0.20 / 1e6     // an invocation
	transition    = 0.025 / 1_000  // of a standard workflow
	put           = 0.005 / 1_000  // PUT, POST, LIST
	get           = 0.0004 / 1_000 // GET
)

// The machine, as it is deployed.
const (
	shardKeys   = 1e6
	concurrency = 200
	transitions = 4 // of a child: it begins, signs, looks whether it is done, ends
	putSize     = 5 << 20
	getSize     = 8 << 20
	fullVCPU    = 1769.0 // MB with which a function has one processor; Lambda gives less in proportion
)

// cost is what a run takes.
type cost struct {
	seconds               float64
	lambda, machine, s3   float64
	boto3Seconds, boto3Is float64
}

func (c cost) total() float64 { return c.lambda + c.machine + c.s3 }

// run computes a run over so many keys with functions of some memory in MB.
func run(keys, memory, gbSecond float64) cost {
	shards := math.Ceil(keys / shardKeys)
	share := min(1, memory/fullVCPU) // a second processor is of little use to a shard
	perShard := min(keys, shardKeys) / 1e6
	inFunction := perShard*secondsPerMillion/share + ioSeconds
	rounds := math.Ceil(shards / concurrency)
	gb := memory / 1024
	c := cost{seconds: planSeconds + rounds*(inFunction+childSeconds)}
	c.lambda = shards*(inFunction*gb*gbSecond+lambdaRequest) + 2*(planSeconds/2*gb*gbSecond+lambdaRequest)
	c.machine = (shards*transitions + 4) * transition
	puts := math.Ceil(perShard*resultPerMillion/putSize) + 3 // the upload begins and ends, a summary lies beside it
	gets := math.Ceil(perShard*inputPerMillion/getSize) + 2
	c.s3 = shards * (puts*put + gets*get)
	// The same with boto3, as many functions at a time, without a word about what is between them.
	boto3 := min(keys, shardKeys)/(boto3PerSecond*share) + ioSeconds
	c.boto3Seconds = planSeconds + rounds*(boto3+childSeconds)
	c.boto3Is = shards*(boto3*gb*gbSecond+lambdaRequest) + c.machine + c.s3
	return c
}

var (
	sizes    = []float64{1e6, 100e6, 1e9, 10e9}
	memories = []float64{512, 1024, 1769, 3008}
)

func name(keys float64) string {
	if keys >= 1e9 {
		return fmt.Sprintf("%g B", keys/1e9)
	}
	return fmt.Sprintf("%g M", keys/1e6)
}

func duration(seconds float64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.1f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

// tables are Markdown.
func tables() string {
	var b bytes.Buffer
	b.WriteString("| keys | MB of memory | time | x86_64, USD | arm64, USD | of which Lambda / Step Functions / S3 | boto3: time | boto3, x86_64, USD |\n")
	b.WriteString("|---|--:|--:|--:|--:|---|--:|--:|\n")
	for _, keys := range sizes {
		for _, memory := range memories {
			x, arm := run(keys, memory, lambdaX86), run(keys, memory, lambdaARM)
			fmt.Fprintf(&b, "| %s | %.0f | %s | %.4g | %.4g | %.0f / %.0f / %.0f %% | %s | %.4g |\n", name(keys), memory, duration(x.seconds), x.total(), arm.total(),
				100*x.lambda/x.total(), 100*x.machine/x.total(), 100*x.s3/x.total(), duration(x.boto3Seconds), x.boto3Is)
		}
	}
	return b.String()
}

const (
	begin = "<!-- computed by bench/capacity: go -C bench run ./capacity ../docs/scale.md ../docs/pictures -->\n"
	end   = "<!-- end of what is computed -->"
)

// fill puts the tables into a document.
func fill(document string) (string, error) {
	before, rest, ok := strings.Cut(document, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return "", errors.New("the document has no place for the tables")
	}
	return before + begin + tables() + end + after, nil
}

func draw(folder string) error {
	var series []picture.Series
	for _, s := range []struct {
		name  string
		value func(cost) float64
	}{{"the state machine", cost.total}, {"the same with boto3", func(c cost) float64 { return c.boto3Is }}} {
		var points []picture.Point
		for keys := 1e6; keys <= 10e9; keys *= 10 {
			points = append(points, picture.Point{Keys: keys, Value: s.value(run(keys, 1769, lambdaX86))})
		}
		series = append(series, picture.Series{Name: s.name, Points: points})
	}
	return picture.Lines(filepath.Join(folder, "scale-cost.svg"), "A run of the state machine, 1,769 MB, x86_64: what it costs, computed", "USD", series)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: capacity DOCUMENT FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func write(document, folder string) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	filled, err := fill(string(text))
	if err != nil {
		return err
	}
	if err := os.WriteFile(document, []byte(filled), 0o644); err != nil {
		return err
	}
	return draw(folder)
}
