// Package service puts together what every function signs with.
package service

import (
	"log/slog"
	"time"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/awscreds"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/config"
	"bulkpresign/internal/s3query"
)

// New makes a Service of what is configured, and the Source of its credentials.
func New(c *config.Config, log *slog.Logger) (*bulk.Service, *awscreds.Source) {
	source := &awscreds.Source{
		SigningRole: c.SigningRole,
		ExternalID:  c.ExternalID,
		Scope:       awscreds.Scope(c.Session),
		Results:     c.Results,
		Log:         log,
	}
	s := &bulk.Service{Policy: c.Policy, Locate: c.Locate, Credentials: source, Now: time.Now, S3: new(s3query.Client), ListKeys: c.ListKeys}
	audit.DecidedBy(c.PolicyText, c.Settings)
	if c.Attribution {
		s.RequestID = audit.RequestID
	}
	return s, source
}
