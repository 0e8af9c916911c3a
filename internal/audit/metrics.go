package audit

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/bulk"
)

// The metrics are in CloudWatch's embedded metric format: a member _aws says which
// members of the line are metrics. Their one dimension is the function's name; what is said
// of a version has its number, too.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const (
	namespace = "BulkPresign"
	dimension = "FunctionName"
	version   = "FunctionVersion"
)

// invokeErrors is 1 when a direct caller was told of an error. Lambda counts that as one of
// the function's own, and so the alarms on crashes subtract it.
const invokeErrors = "InvokeErrors"

// Unit is CloudWatch's word for what a figure counts.
type Unit string

const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
	Seconds      Unit = "Seconds"
)

// metrics are figures and how CloudWatch is to read them.
type metrics struct {
	at      time.Time
	names   []byte // elements of the directive's list
	told    bool   // invokeErrors is 1
	members []slog.Attr
}

func (m *metrics) add(name string, unit Unit, v slog.Value) {
	if len(m.names) > 0 {
		m.names = append(m.names, ',')
	}
	m.names = append(append(m.names, `{"Name":"`...), name...)
	m.names = append(append(m.names, `","Unit":"`...), unit...)
	m.names = append(m.names, `"}`...)
	m.members = append(m.members, slog.Attr{Key: name, Value: v})
}

func (m *metrics) count(name string, n int) { m.add(name, Count, slog.IntValue(n)) }

// append appends the members and the directive to a line's attributes.
func (m *metrics) append(a []slog.Attr) []slog.Attr {
	aws := strconv.AppendInt([]byte(`{"Timestamp":`), m.at.UnixMilli(), 10)
	aws = append(aws, `,"CloudWatchMetrics":[{"Namespace":"`+namespace+`","Dimensions":[["`+dimension+`"]],"Metrics":[`...)
	aws = append(append(aws, m.names...), `]}`...)
	a = append(a, slog.String(dimension, functionName()))
	if m.told {
		aws = append(aws, `,{"Namespace":"`+namespace+`","Dimensions":[["`+dimension+`"],["`+dimension+`","`+version+`"]],`+
			`"Metrics":[{"Name":"`+invokeErrors+`","Unit":"Count"}]}`...)
		a = append(a, slog.String(version, functionVersion()), slog.Int(invokeErrors, 1))
	}
	aws = append(aws, `]}`...)
	return append(append(a, m.members...), slog.Any("_aws", json.RawMessage(aws)))
}

// functionName is never empty, since a dimension must not be.
func functionName() string {
	if lambdacontext.FunctionName == "" {
		return "unknown"
	}
	return lambdacontext.FunctionName
}

// functionVersion is the number of the version that runs, or $LATEST.
func functionVersion() string {
	if lambdacontext.FunctionVersion == "" {
		return "unknown"
	}
	return lambdacontext.FunctionVersion
}

// keyCodes are the codes that a key can be refused with, each a metric of its own.
var keyCodes = []bulk.Code{
	bulk.EmptyKey, bulk.KeyTooLong, bulk.KeyNotAllowed, bulk.UnsafeKey, bulk.InvalidOption, bulk.ConflictingItem,
	bulk.NotFound, bulk.Forbidden, bulk.Archived, bulk.NotVerified,
}

// metrics are those of docs/audit.md. One for each code is there only when the code
// occurred.
func (r *Record) metrics(now time.Time) *metrics {
	m := &metrics{at: now}
	m.count("Requests", 1)
	m.count("BatchSize", r.Items)
	m.count("KeysRequested", r.Keys)
	m.count("KeysSigned", r.Signed)
	all := 0
	for _, code := range keyCodes {
		if n := r.Refused[code]; n > 0 {
			all += n
			m.count("Refused"+string(code), n)
		}
	}
	m.count("KeysRefused", all)
	var refused, failed int
	if f := r.Failure; f != nil {
		if f.Cause != nil || f.Code == bulk.InternalError || f.Code == bulk.CredentialsUnavailable {
			failed = 1
		} else {
			refused = 1
		}
	}
	m.count("RequestsRefused", refused)
	m.count("RequestsFailed", failed)
	if r.Failure != nil {
		m.count("Request"+string(r.Failure.Code), 1)
		m.told = r.Source == "direct"
	}
	m.add("Duration", Milliseconds, slog.Float64Value(float64(now.Sub(r.began).Microseconds())/1000))
	if r.cold {
		m.count("ColdStarts", 1)
	}
	if !r.CredentialsUntil.IsZero() {
		m.add("CredentialSecondsLeft", Seconds, slog.Int64Value(int64(r.CredentialsUntil.Sub(r.SignedAt)/time.Second)))
	}
	return m
}

// Metric writes a line with one figure, for what concerns no single request.
func Metric(ctx context.Context, log *slog.Logger, level slog.Level, message, name string, unit Unit, value float64, attributes ...slog.Attr) {
	m := &metrics{at: time.Now()}
	m.add(name, unit, slog.Float64Value(value))
	log.LogAttrs(ctx, level, message, m.append(attributes)...)
}
