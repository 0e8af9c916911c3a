package s3op

import (
	"fmt"
	"slices"
	"strings"
)

// Known are the values that S3 knows of an option, as of service/s3 v1.114.8; nil
// for others. S3 may learn a new one any day, so an unknown one is signed, with a warning;
// it tells capitals from small letters, so a known one that is written otherwise is refused.
func (id ID) Known() []string {
	switch id.String() {
	case "acl":
		return []string{"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"}
	case "checksum_mode":
		return []string{"ENABLED"}
	case "object_lock_legal_hold_status":
		return []string{"ON", "OFF"}
	case "object_lock_mode":
		return []string{"GOVERNANCE", "COMPLIANCE"}
	case "request_payer":
		return []string{"requester"}
	case "server_side_encryption":
		return []string{"AES256", "aws:backup", "aws:fsx", "aws:kms", "aws:kms:dsse"}
	case "storage_class":
		return []string{"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
			"OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP", "AWS_BACKUP_WARM", "AWS_BACKUP_LOW_COST_WARM"}
	}
	return nil
}

// misspelt says how a value is written that means a known one.
func misspelt(names []string, v string) string {
	if names == nil || slices.Contains(names, v) {
		return ""
	}
	for _, name := range names {
		if lettersOf(name) == lettersOf(v) {
			return fmt.Sprintf("is written %q", name)
		}
	}
	return ""
}

// lettersOf are the letters, small, and the digits.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// Warning says what of settled options looks like a slip though it is signed: a value
// that S3 did not know when this was written, or a name of metadata with S3's prefix, which S3 adds itself. It is ""
// when nothing does.
func Warning(settled []Option) string {
	var b strings.Builder
	for _, opt := range settled {
		if opt.ID == idMetadata && strings.HasPrefix(strings.ToLower(opt.Name), "x-amz-meta-") {
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(`metadata has a name that begins with "x-amz-meta-", which is added to every name: the header is x-amz-meta-x-amz-meta-..., so leave it out`)
		}
		if names := opt.ID.Known(); names != nil && !slices.Contains(names, opt.Value) {
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "option %q has a value that is new to this service, and S3 may refuse it: it knows %s", opt.ID, strings.Join(names, ", "))
		}
	}
	return b.String()
}
