// Package awscreds reads the role's credentials through the SDK's default chain and
// hands out snapshots of them, each with its end if that is known.
package awscreds

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/sigv4"
)

// Source finds credentials where the SDK does: the environment, a container's
// credential endpoint, shared files. It asks for them when they are first needed and
// again whenever the SDK says that they have changed; it is safe for concurrent use.
type Source struct {
	mu       sync.Mutex
	provider aws.CredentialsProvider
}

// Credentials takes a snapshot. A Lambda execution role's have no known end.
func (s *Source) Credentials(ctx context.Context) (bulk.Credentials, error) {
	provider, err := s.load(ctx)
	if err != nil {
		return bulk.Credentials{}, err
	}
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return bulk.Credentials{}, fmt.Errorf("retrieve credentials: %w", err)
	}
	if !c.HasKeys() {
		return bulk.Credentials{}, errors.New("retrieve credentials: the access key or its secret is empty")
	}
	snapshot := bulk.Credentials{Credentials: sigv4.Credentials{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey,
		SessionToken:    c.SessionToken,
	}}
	if c.CanExpire {
		snapshot.Expires = c.Expires
	}
	return snapshot, nil
}

// load finds the provider. A failure is not kept: the next request tries again.
func (s *Source) load(ctx context.Context) (aws.CredentialsProvider, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider == nil {
		c, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("load the SDK's configuration: %w", err)
		}
		s.provider = c.Credentials
	}
	return s.provider, nil
}
