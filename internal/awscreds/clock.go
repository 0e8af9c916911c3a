package awscreds

import (
	"context"
	"log/slog"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"bulkpresign/internal/audit"
)

// skewTolerated is how much the clocks may differ before it is reported: a Date header
// has whole seconds, and an answer takes some time.
const skewTolerated = time.Minute

// skewEvery is how often it is reported at most: a list in S3 makes thousands of calls.
const skewEvery = time.Minute

// watchClock compares the Date of every answer of AWS, of STS and of S3, with this clock.
// A difference is reported and not corrected: see docs/expiry.md.
func (s *Source) watchClock(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("WatchClock", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if skew, ok := awsmiddleware.GetAttemptSkew(metadata); ok && skew.Abs() > skewTolerated && s.reportsSkew() {
			// What the SDK calls the skew is how far AWS is ahead of us.
			audit.Metric(ctx, s.log(), slog.LevelWarn, "this clock is not AWS's: URLs are signed for another time than now",
				"ClockSkew", audit.Seconds, (-skew).Truncate(time.Second).Seconds())
		}
		return out, metadata, err
	}), middleware.Before)
}

// reportsSkew tells whether nobody else has reported it just now.
func (s *Source) reportsSkew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.skewed) < skewEvery {
		return false
	}
	s.skewed = time.Now()
	return true
}
