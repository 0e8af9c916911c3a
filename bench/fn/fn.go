// Package fn builds Lambda functions and runs them under the local runtime API, to be
// measured from outside.
package fn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bulkpresign/internal/standin/runtimeapi"
)

// Ours is the function as "make build" leaves it, seen from a folder of this module.
const Ours = "../../bin/api/bootstrap"

// Region is where all functions believe to be.
const Region = "eu-west-1"

// Build compiles the package in a folder, small, as functions are built.
func Build(folder, binary string) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", folder, err, out)
	}
	return nil
}

// Start starts a function with the credentials of a role, whose token is as long as
// Lambda's.
func Start(binary string, env ...string) (*runtimeapi.Function, error) {
	return runtimeapi.Start(context.Background(), runtimeapi.Config{
		Binary:   binary,
		Timeout:  time.Minute,
		Region:   Region,
		MemoryMB: 1769,
		Env: append([]string{
			"AWS_CONFIG_FILE=" + os.DevNull,
			"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
			"AWS_EC2_METADATA_DISABLED=true",
			"AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE",
			"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			"AWS_SESSION_TOKEN=" + strings.Repeat("IQoJb3JpZ2luX2Vj/EXAMPLE+", 40),
			"PRESIGN_BUCKETS=photos",
		}, env...),
	})
}

// Peak is the most memory that a function's process ever had, in bytes.
func Peak(f *runtimeapi.Function) (int64, error) {
	p, err := f.Process()
	if err != nil {
		return 0, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.ID))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if figure, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(figure), " kB"), 10, 64)
			return kB << 10, err
		}
	}
	return 0, errors.New("the kernel does not tell the peak memory")
}

// Median is the middle one of some times, which it sorts.
func Median(times []time.Duration) time.Duration {
	slices.Sort(times)
	n := len(times)
	return (times[(n-1)/2] + times[n/2]) / 2
}

// Milliseconds is d as a figure.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
