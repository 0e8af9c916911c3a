package s3op

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// What S3 takes of tags; a character is one of Unicode:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const (
	maxTags          = 10
	maxTagCharacters = 128
	maxTagValue      = 256
)

// tag is a tag of an object.
type tag struct{ key, value string }

// tagging takes tags as S3's header has them, the parameters of a query.
func tagging(v string) (string, string) {
	if _, problem := headerValue(v); problem != "" {
		return "", problem
	}
	_, problem := tagsOf(v)
	return v, problem
}

// tagsOf reads tags.
func tagsOf(query string) (tags []tag, problem string) {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, keyErr := url.QueryUnescape(key)
		value, valueErr := url.QueryUnescape(value)
		switch {
		case keyErr != nil || valueErr != nil || key == "" || !utf8.ValidString(key) || !utf8.ValidString(value):
			return nil, `is not written as the parameters of a URL, such as "project=x&team=y"`
		case utf8.RuneCountInString(key) > maxTagCharacters:
			return nil, fmt.Sprintf("has a key of more than %d characters", maxTagCharacters)
		case utf8.RuneCountInString(value) > maxTagValue:
			return nil, fmt.Sprintf("has a value of more than %d characters", maxTagValue)
		case strings.HasPrefix(key, "aws:"):
			return nil, `has a key that begins with "aws:", which are AWS's own`
		}
		for _, t := range tags {
			if t.key == key {
				return nil, "has a key twice"
			}
		}
		if len(tags) == maxTags {
			return nil, fmt.Sprintf("has more than the %d tags that S3 takes", maxTags)
		}
		tags = append(tags, tag{key, value})
	}
	return tags, ""
}
