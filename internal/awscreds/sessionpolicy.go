package awscreds

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3op"
)

// maxPolicy is the longest session policy, in characters.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_RequestParameters
const maxPolicy = 2048

// actions are what an operation may need, with any of its options. A session never has
// more than its role.
//
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
var actions = map[s3op.Operation]string{
	s3op.GetObject:    `"s3:GetObject","s3:GetObjectVersion"`,
	s3op.HeadObject:   `"s3:GetObject","s3:GetObjectVersion"`,
	s3op.PutObject:    toPut,
	s3op.DeleteObject: `"s3:DeleteObject","s3:DeleteObjectVersion","s3:BypassGovernanceRetention"`,
	s3op.UploadPart:   `"s3:PutObject"`,

	s3op.CreateMultipartUpload:   toPut,
	s3op.CompleteMultipartUpload: `"s3:PutObject"`,
	s3op.AbortMultipartUpload:    `"s3:AbortMultipartUpload"`,
	s3op.ListParts:               `"s3:ListMultipartUploadParts"`,
	s3op.CopyObject:              toPut,
	s3op.UploadPartCopy:          `"s3:PutObject"`,
	s3op.GetObjectAttributes:     `"s3:GetObject","s3:GetObjectVersion","s3:GetObjectAttributes","s3:GetObjectVersionAttributes"`,
	s3op.GetObjectTagging:        `"s3:GetObjectTagging","s3:GetObjectVersionTagging"`,
	s3op.PutObjectTagging:        `"s3:PutObjectTagging","s3:PutObjectVersionTagging"`,
	s3op.ListObjectsV2:           `"s3:ListBucket"`,
	s3op.HeadBucket:              `"s3:ListBucket"`,
	s3op.RestoreObject:           `"s3:RestoreObject"`,
	s3op.PostObject:              toPut,
	s3op.MultipartUpload:         toPut + `,"s3:AbortMultipartUpload","s3:ListMultipartUploadParts"`,
}

const toPut = `"s3:PutObject","s3:PutObjectTagging","s3:PutObjectAcl","s3:PutObjectRetention","s3:PutObjectLegalHold"`

// sessionPolicy allows what a need is about and nothing else. Where its prefixes do not
// fit, their common beginning stands for them, cut short if it must be: the policy that
// fits, and as narrow as that allows. Each key is judged by this service all the same.
func (s *Source) sessionPolicy(need *bulk.Need) string {
	_, rest, _ := strings.Cut(s.SigningRole, ":") // arn:PARTITION:iam::...
	partition, _, _ := strings.Cut(rest, ":")
	if len(need.Prefixes) > 0 {
		if text := s.policyOf(partition, need, need.Prefixes); len(text) <= maxPolicy {
			return text
		}
	}
	prefix := common(need.Prefixes)
	for {
		text := s.policyOf(partition, need, []string{prefix})
		if len(text) <= maxPolicy || prefix == "" {
			return text
		}
		_, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
	}
}

// policyOf writes the policy. Objects that are encrypted with a KMS key need the key too,
// but through S3 alone; other servers than AWS's refuse actions that they do not know.
func (s *Source) policyOf(partition string, need *bulk.Need, prefixes []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[%s],"Resource":[`, actions[need.Operation])
	folder := objectsOf(partition, need.Bucket)
	end := `]}`
	switch need.Operation {
	case s3op.HeadBucket:
		prefixes = nil // it has none, so no condition on one would hold
		fmt.Fprintf(&b, `"%s"`, bucketOf(partition, need.Bucket))
	case s3op.ListObjectsV2:
		fmt.Fprintf(&b, `"%s"],"Condition":{"StringLike":{"s3:prefix":[`, bucketOf(partition, need.Bucket))
		folder, end = "", `]}}}`
	}
	for i, prefix := range prefixes {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s%s*"`, folder, literally(prefix))
	}
	b.WriteString(end)
	if need.List {
		fmt.Fprintf(&b, `,{"Effect":"Allow","Action":"s3:ListBucket","Resource":"%s","Condition":{"StringLike":{"s3:prefix":[`, bucketOf(partition, need.Bucket))
		for i, prefix := range prefixes {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"%s*"`, literally(prefix))
		}
		b.WriteString(`]}}}`)
	}
	if need.Operation == s3op.CopyObject || need.Operation == s3op.UploadPartCopy { // the URL says which object is read
		b.WriteString(`,{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion","s3:GetObjectTagging","s3:GetObjectVersionTagging"],"Resource":"*"}`)
	}
	if s.atAWS {
		b.WriteString(`,{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*","Condition":{"StringLike":{"kms:ViaService":"s3.*"}}}`)
	}
	if r := s.Results; r != nil {
		fmt.Fprintf(&b, `,{"Effect":"Allow","Action":"s3:GetObject","Resource":"%s%s*"}`, objectsOf(partition, r.Bucket), literally(r.Prefix))
	}
	b.WriteString(`]}`)
	return b.String()
}

// bucketOf is the ARN of a bucket or an access point.
func bucketOf(partition, bucket string) string {
	if strings.HasPrefix(bucket, "arn:") {
		return bucket
	}
	return "arn:" + partition + ":s3:::" + bucket
}

// objectsOf is the ARN of all objects of a bucket or an access point.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html
func objectsOf(partition, bucket string) string {
	if strings.HasPrefix(bucket, "arn:") {
		return bucket + "/object/"
	}
	return "arn:" + partition + ":s3:::" + bucket + "/"
}

// literally writes a prefix so that neither IAM nor JSON reads more into it, in ASCII.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
func literally(prefix string) string {
	var b strings.Builder
	for _, r := range prefix {
		switch {
		case r == '*' || r == '?' || r == '$':
			fmt.Fprintf(&b, "${%c}", r)
		case r < ' ' || r > '~' || r == '"' || r == '\\':
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// common is what all prefixes begin with.
func common(prefixes []string) string {
	if len(prefixes) == 0 {
		return ""
	}
	first := prefixes[0]
	for _, p := range prefixes[1:] {
		for !strings.HasPrefix(p, first) {
			_, size := utf8.DecodeLastRuneInString(first)
			first = first[:len(first)-size]
		}
	}
	return first
}
