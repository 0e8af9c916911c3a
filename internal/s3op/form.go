package s3op

import (
	"slices"
	"strings"

	"bulkpresign/internal/sigv4"
)

// FormFields are the fields that a form must send for settled options of a PostObject,
// exactly so, in the order of the options. Fields whose value is for the client to choose
// are not among them.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
func FormFields(settled []Option) []sigv4.Parameter {
	var fields []sigv4.Parameter
	for _, o := range settled {
		switch o.ID {
		case ContentLengthRange, ContentTypeStart, KeyStartsWith:
		case idTagging:
			fields = append(fields, sigv4.Parameter{Name: "tagging", Value: tagDocument(o.Value)})
		default:
			fields = append(fields, sigv4.Parameter{Name: o.fieldName(), Value: o.Value})
		}
	}
	return fields
}

// fieldName is the name of the option's field. Those of HTTP's own headers are written as
// everybody writes them; S3 takes any case.
func (o Option) fieldName() string {
	switch name := o.WireName(); name {
	case "x-amz-acl":
		return "acl"
	case "cache-control", "content-disposition", "content-encoding", "content-type", "expires":
		words := strings.Split(name, "-")
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		return strings.Join(words, "-")
	default:
		return strings.ToLower(name)
	}
}

// AppendConditions appends what a policy says of settled options of a PostObject, each
// condition with a comma before it. The key's is not among them.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
func AppendConditions(dst []byte, settled []Option) []byte {
	for _, o := range settled {
		switch o.ID {
		case ContentLengthRange:
			dst = append(append(append(dst, `,["content-length-range",`...), o.Value...), ']')
		case ContentTypeStart:
			dst = append(sigv4.AppendPolicyText(append(dst, `,["starts-with","$Content-Type","`...), o.Value), `"]`...)
		}
	}
	for _, f := range FormFields(settled) {
		dst = sigv4.AppendPolicyText(append(dst, `,{"`...), f.Name)
		dst = sigv4.AppendPolicyText(append(dst, `":"`...), f.Value)
		dst = append(dst, `"}`...)
	}
	return dst
}

// IsKeyStart tells whether settled options have a form's key be the beginning of keys.
func IsKeyStart(settled []Option) bool {
	return slices.Contains(settled, Option{ID: KeyStartsWith, Value: "true"})
}

// FilenameVariable is what S3 replaces, in a form's key, by the name of the file.
const FilenameVariable = "${filename}"

// tagDocument writes checked tags as a form has them: a form's field is the XML document
// that PutObjectTagging takes, where a header has the parameters of a query.
func tagDocument(query string) string {
	tags, _ := tagsOf(query)
	var b strings.Builder
	b.WriteString("<Tagging><TagSet>")
	for _, t := range tags {
		b.WriteString("<Tag><Key>")
		xmlEscapes.WriteString(&b, t.key)
		b.WriteString("</Key><Value>")
		xmlEscapes.WriteString(&b, t.value)
		b.WriteString("</Value></Tag>")
	}
	b.WriteString("</TagSet></Tagging>")
	return b.String()
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#13;", "\n", "&#10;", "\t", "&#9;")
