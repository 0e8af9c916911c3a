// Versitygw runs the Versity S3 gateway on a directory, for sessions of its caller's choice.
//
// The gateway's own command refuses every session token. As a library it asks whoever embeds it for the signing key
// of an access key and token, so here the answer comes from the configuration on standard input. It ends with its
// standard input, so that it does not outlive its parent.
package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3err"
)

// A configuration is one line of JSON.
type configuration struct {
	Address    string // host:port to listen on
	Region     string
	Dir        string // for objects, their metadata and their versions
	RootAccess string
	RootSecret string
	Sessions   []session
}

type session struct {
	Access, Secret, Token string
	Expires               time.Time
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "versitygw:", err)
		os.Exit(1)
	}
}

func run() error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var cfg configuration
	if err := json.Unmarshal(line, &cfg); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, in)
		cancel()
	}()

	objects, versions, sidecar := filepath.Join(cfg.Dir, "objects"), filepath.Join(cfg.Dir, "versions"), filepath.Join(cfg.Dir, "metadata")
	for _, dir := range []string{objects, versions, sidecar} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	// Metadata beside the objects, not in extended attributes: not every file system for temporary files has these.
	store, err := meta.NewSideCar(sidecar)
	if err != nil {
		return err
	}
	backend, err := posix.New(objects, store, posix.PosixOpts{VersioningDir: versions, SideCarDir: sidecar, Concurrency: 16, CopyObjectThreshold: 5 << 30})
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess:    cfg.RootAccess,
		RootUserSecret:    cfg.RootSecret,
		Region:            cfg.Region,
		Ports:             []string{cfg.Address},
		MaxConnections:    100,
		MaxRequests:       100,
		MultipartMaxParts: 10_000,
		Quiet:             true,
		IAMService:        sessions(cfg.Sessions),
	})
}

// sessions are the only accounts beside root.
type sessions []session

var _ interface {
	auth.IAMService
	auth.SigningKeyProvider
} = sessions(nil)

func (s sessions) find(access string) (session, bool) {
	for _, c := range s {
		if c.Access == access {
			return c, true
		}
	}
	return session{}, false
}

// DeriveSigningKey refuses what S3's own session check refuses: another token than the session's, none, and one whose
// session has ended.
func (s sessions) DeriveSigningKey(access, token, date, region, service string) ([]byte, auth.Account, error) {
	c, ok := s.find(access)
	if !ok {
		return nil, auth.Account{}, auth.ErrNoSuchUser
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(c.Token)) == 0 || !time.Now().Before(c.Expires) {
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	}
	key := []byte("AWS4" + c.Secret)
	for _, part := range []string{date, region, service, "aws4_request"} {
		h := hmac.New(sha256.New, key)
		io.WriteString(h, part)
		key = h.Sum(nil)
	}
	return key, account(access), nil
}

// account may do everything: what is verified is signatures.
func account(access string) auth.Account { return auth.Account{Access: access, Role: auth.RoleAdmin} }

func (s sessions) GetUserAccount(access string) (auth.Account, error) {
	if _, ok := s.find(access); !ok {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return account(access), nil
}

func (s sessions) ResolveAccounts(ids []string) (missing []string, err error) {
	for _, id := range ids {
		if _, ok := s.find(id); !ok {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

var errUnsupported = s3err.GetAPIError(s3err.ErrAdminMethodNotSupported)

func (sessions) CreateAccount(auth.Account) error                  { return errUnsupported }
func (sessions) UpdateUserAccount(string, auth.MutableProps) error { return errUnsupported }
func (sessions) DeleteUserAccount(string) error                    { return errUnsupported }
func (sessions) ListUserAccounts() ([]auth.Account, error)         { return nil, errUnsupported }
func (sessions) Shutdown() error                                   { return nil }
