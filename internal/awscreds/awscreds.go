// Package awscreds reads the role's credentials through the SDK's default chain, or
// assumes a signing role with them, and hands out snapshots, each with its end if that
// is known.
package awscreds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// Source finds credentials where the SDK does: the environment, a container's
// credential endpoint, shared files. It asks for them when they are first needed and
// again whenever the SDK says that they have ended; it is safe for concurrent use.
type Source struct {
	// SigningRole is the ARN of a role to assume for signing, or empty. A Lambda
	// execution role's credentials have no known end; an assumed role's do.
	SigningRole string
	ExternalID  string        // that the role's trust asks for, or empty
	Scope       Scope         // of the role's sessions
	Results     *s3url.Folder // that the sessions may also read, or nil
	Log         *slog.Logger  // for what no request's record tells; may be nil

	mu       sync.Mutex
	loaded   *aws.Config
	sessions *sessions // of the signing role
	atAWS    bool      // STS is AWS's
	skewed   time.Time // when a difference of the clocks was last reported
}

func (s *Source) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// Config is the SDK's configuration, loaded when it is first needed. A failure is not
// kept: the next request tries again.
func (s *Source) Config(ctx context.Context) (aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded == nil {
		// The SDK's own log lines would be no JSON.
		c, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
		if err != nil {
			return aws.Config{}, fmt.Errorf("load the SDK's configuration: %w", loggable(err))
		}
		c.APIOptions = append(c.APIOptions, s.watchClock)
		s.loaded = &c
		if s.SigningRole != "" {
			client := newSTS(c)
			at := client.Options().BaseEndpoint
			s.atAWS = at == nil || strings.Contains(*at, ".amazonaws.") // a VPC endpoint's name, say
			s.sessions = &sessions{assume: s.assumer(client), log: s.log()}
		}
	}
	return *s.loaded, nil
}

// Credentials takes a snapshot.
func (s *Source) Credentials(ctx context.Context, need *bulk.Need) (bulk.Credentials, error) {
	loaded, err := s.Config(ctx)
	if err != nil {
		return bulk.Credentials{}, err
	}
	if s.sessions != nil {
		return s.sessions.credentials(ctx, s.identity(need), need)
	}
	c, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return bulk.Credentials{}, fmt.Errorf("retrieve credentials: %w", loggable(err))
	}
	if !c.HasKeys() {
		return bulk.Credentials{}, errors.New("retrieve credentials: the access key or its secret is empty")
	}
	for name, value := range map[string]string{"access key's ID": c.AccessKeyID, "secret access key": c.SecretAccessKey, "session token": c.SessionToken} {
		if strings.TrimSpace(value) != value {
			return bulk.Credentials{}, fmt.Errorf("retrieve credentials: the %s begins or ends with white space, a line break perhaps: S3 would refuse every URL", name)
		}
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

// loggable makes an error fit for the log. An answer of STS or of a credential
// endpoint may repeat a token in its message, so only its code is kept; and no line of
// the log may hold a URL.
func loggable(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		if c := answer.ErrorCode(); regexp.MustCompile(`^[A-Za-z][A-Za-z.]{0,63}$`).MatchString(c) {
			return fmt.Errorf("the credential service answered with the error %s", c)
		}
		return errors.New("the credential service answered with an error")
	}
	url := regexp.MustCompile(`https?://[^\s"]+`)
	return errors.New(url.ReplaceAllString(err.Error(), "[URL]"))
}
