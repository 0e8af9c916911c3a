package gatewayevent

import "bulkpresign/internal/policy"

// CallerOf is who an HTTP event says asks.
func CallerOf(event []byte) (policy.Caller, error) {
	e, err := decodeEvent(event)
	return e.caller, err
}
