package logcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// Metrics holds a line against CloudWatch's embedded metric format, whose rules are its
// JSON Schema, CloudWatch's own for names, and that nothing is named twice.
//
//   - https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
//   - https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
func Metrics(line []byte) error {
	root, err := members(line)
	if err != nil {
		return err
	}
	var meta struct {
		Timestamp         *int64
		CloudWatchMetrics []directive
	}
	if err := strictly(root["_aws"], &meta); err != nil {
		return fmt.Errorf("_aws: %w", err)
	}
	switch {
	case meta.Timestamp == nil:
		return errors.New("_aws.Timestamp is missing")
	case meta.CloudWatchMetrics == nil:
		return errors.New("_aws.CloudWatchMetrics is missing")
	}
	// CloudWatch takes what is at most two weeks old and at most two hours ahead.
	if age := time.Since(time.UnixMilli(*meta.Timestamp)); age > 14*24*time.Hour || age < -2*time.Hour {
		return fmt.Errorf("_aws.Timestamp is %v ago", age)
	}
	for _, d := range meta.CloudWatchMetrics {
		if err := d.check(root); err != nil {
			return err
		}
	}
	return nil
}

// MetricNames are those of a record with metrics.
func MetricNames(record map[string]any) (names []string) {
	aws, _ := record["_aws"].(map[string]any)
	directives, _ := aws["CloudWatchMetrics"].([]any)
	for _, d := range directives {
		metrics, _ := d.(map[string]any)["Metrics"].([]any)
		for _, m := range metrics {
			name, _ := m.(map[string]any)["Name"].(string)
			names = append(names, name)
		}
	}
	return names
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []struct {
		Name              string
		Unit              *string
		StorageResolution *int
	}
}

// units are CloudWatch's.
var units = strings.Fields(`Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits
	Megabits Gigabits Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second
	Terabytes/Second Bits/Second Kilobits/Second Megabits/Second Gigabits/Second Terabits/Second Count/Second None`)

func (d *directive) check(root map[string]json.RawMessage) error {
	const namespaceBytes = 255
	name := func(s string, most int) bool { return s != "" && len(s) <= most && isPrintable(s) }
	if !name(d.Namespace, namespaceBytes) || d.Namespace[0] == ':' {
		return errors.New("a namespace is none")
	}
	if d.Dimensions == nil || d.Metrics == nil {
		return errors.New("a directive has no dimensions or no metrics")
	}
	for _, set := range d.Dimensions {
		if len(set) > 30 {
			return errors.New("a set of dimensions is too large")
		}
		for _, dimension := range set {
			var value string
			if err := json.Unmarshal(root[dimension], &value); err != nil || !name(value, 1024) || !name(dimension, 250) {
				return fmt.Errorf("dimension %s has no text as its value", dimension)
			}
		}
	}
	if len(d.Metrics) > 100 {
		return errors.New("a directive has too many metrics")
	}
	seen := map[string]bool{}
	for _, m := range d.Metrics {
		if !name(m.Name, 255) || seen[m.Name] {
			return fmt.Errorf("metric %s is named wrongly or twice", m.Name)
		}
		seen[m.Name] = true
		var value float64
		if err := json.Unmarshal(root[m.Name], &value); err != nil || root[m.Name] == nil || string(root[m.Name]) == "null" || math.Abs(value) > 1<<52 {
			return fmt.Errorf("metric %s has no number as its value", m.Name)
		}
		if m.Unit != nil && !slices.Contains(units, *m.Unit) {
			return fmt.Errorf("metric %s has the unit %s", m.Name, *m.Unit)
		}
		if r := m.StorageResolution; r != nil && *r != 1 && *r != 60 {
			return fmt.Errorf("metric %s has a resolution of %d", m.Name, *r)
		}
	}
	return nil
}

func isPrintable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// members reads an object and refuses a name that is there twice: which one CloudWatch
// takes, nobody says.
func members(line []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the line is no object")
	}
	all := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errors.New("the line is no JSON")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("the line is no JSON")
		}
		if _, twice := all[name.(string)]; twice {
			return nil, fmt.Errorf("member %s is there twice", name)
		}
		all[name.(string)] = value
	}
	return all, nil
}

func strictly(text []byte, v any) error {
	if text == nil {
		return errors.New("it is missing")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more")
	}
	return nil
}
