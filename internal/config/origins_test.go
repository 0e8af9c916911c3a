package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/config"
)

// Origins are taken as browsers write them.
func TestAllowedOrigins(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "*": {"*"}, "https://*": {"https://*"},
		"https://app.example.com, http://localhost:5173": {"https://app.example.com", "http://localhost:5173"},
	} {
		c, err := config.Load(environment("PRESIGN_ALLOWED_ORIGINS=" + text))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, c.AllowedOrigins); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
}
