package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"bulkpresign/internal/didyoumean"
)

// prefix is what this service's own variables begin with.
const prefix = "PRESIGN_"

// variables are all of them, less the prefix and in lower case.
var variables = []string{
	"buckets", "operations", "key_prefix", "default_expires_in", "max_expires_in", "max_keys", "list_keys", "policy", "endpoint_url", "addressing",
	"accelerate", "signing_role_arn", "signing_session", "attribution", "results_bucket", "results_prefix", "response_stream",
	"manifest_bucket", "manifest_prefix", "queue_url", "retry_after", "notify_queue_url", "max_receives", "results_owner",
	"signing_external_id", "settings", "allowed_origins",
}

// words are what people write in their place.
var words = didyoumean.Words{
	"bucket": "buckets", "bucket_name": "buckets", "operation": "operations", "prefix": "key_prefix", "expires_in": "default_expires_in",
	"expiry": "default_expires_in", "expiration": "default_expires_in", "max_expiry": "max_expires_in", "max_expiration": "max_expires_in",
	"endpoint": "endpoint_url", "role_arn": "signing_role_arn", "signing_role": "signing_role_arn", "addressing_style": "addressing",
	"queue": "queue_url", "notify_queue": "notify_queue_url",
}

// Unknown reports the variables of an environment (NAME=VALUE, as os.Environ gives it) that look like this service's and
// are none: what they were to set is not set. Values are not repeated.
func Unknown(environ []string) error {
	var problems []error
	for _, variable := range environ {
		full, _, _ := strings.Cut(variable, "=")
		name, ours := strings.CutPrefix(full, prefix)
		if name = strings.ToLower(name); !ours || slices.Contains(variables, name) {
			continue
		}
		if meant := didyoumean.Name(name, variables, words); meant != "" {
			problems = append(problems, fmt.Errorf("%s is no variable of this service: did you mean %s?", full, prefix+strings.ToUpper(meant)))
		} else {
			problems = append(problems, fmt.Errorf("%s is no variable of this service: docs/reference.md names them all", full))
		}
	}
	return errors.Join(problems...)
}
