package config

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// The forms of names are checked by hand: regular expressions would take a third of a
// cold start to compile.

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// consists tells whether s is not empty and holds only characters of a set.
func consists(s, of string) bool { return s != "" && strings.Trim(s, of) == "" }

// isBucketName tells what S3 ever allowed: today's rules and the older ones of
// us-east-1.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func isBucketName(s string) bool {
	return len(s) >= 3 && len(s) <= 255 && consists(s, lower+upper+digits+"._-") &&
		consists(s[:1]+s[len(s)-1:], lower+upper+digits)
}

func isRegion(s string) bool {
	return consists(s, lower+digits+"-") && s[0] != '-' && s[len(s)-1] != '-'
}

// accessPointRegion reads the ARN of something that takes a bucket's place. Only a
// Multi-Region Access Point's has no region.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
func accessPointRegion(s string) (region string, ok bool) {
	a, err := arn.Parse(s)
	ok = err == nil && consists(a.Partition, lower+digits+"-") && strings.HasPrefix(a.Service, "s3") &&
		consists(a.Service, lower+digits+"-") && (a.Region == "" || isRegion(a.Region)) && isAccount(a.AccountID) &&
		consists(a.Resource, lower+upper+digits+":/._-")
	return a.Region, ok
}

// isRole also takes a role without an account: Ceph's have none.
func isRole(s string) bool {
	a, err := arn.Parse(s)
	name, isRole := strings.CutPrefix(a.Resource, "role/")
	return err == nil && a.Service == "iam" && a.Region == "" && (a.AccountID == "" || isAccount(a.AccountID)) &&
		isRole && consists(name, lower+upper+digits+"+=,.@_/-")
}

func isAccount(s string) bool { return len(s) == 12 && consists(s, digits) }
