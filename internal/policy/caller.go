package policy

// Kind is how AWS came to know a caller.
type Kind uint8

const (
	Anonymous Kind = iota // nobody vouches for the caller
	IAM                   // the API checked a request that an IAM principal signed
	JWT                   // the API checked a token of an issuer that it trusts
	Direct                // lambda:InvokeFunction, which IAM let through; by whom, Lambda does not say
	Service               // an AWS service brought an event
)

var kinds = [...]string{Anonymous: "anonymous", IAM: "iam", JWT: "jwt", Direct: "direct", Service: "service"}

// String is the kind's name in a policy document and in the log.
func (k Kind) String() string { return kinds[k] }

// Caller is who asks, as far as AWS vouches for it: nothing here comes from a header,
// a query string or a body. The zero value is a caller of whom nothing is known. What
// is not known of a caller is empty.
//
// None of the events tells the tags of a principal.
type Caller struct {
	Kind Kind

	// Of IAM.
	ARN       string // of a user, or of a role's session (arn:aws:sts::...:assumed-role/NAME/SESSION)
	Account   string // twelve digits
	UserID    string // IAM's aws:userid: AIDA..., or AROA...:SESSION
	CognitoID string // the identity in a Cognito identity pool, REGION:UUID

	// Of JWT: the claims that the event has as strings. API Gateway writes numbers and
	// booleans so too, and a list as "[a b]".
	Claims map[string]string

	// Of Service.
	Service   string // the service's principal, such as sqs.amazonaws.com
	SourceARN string // of the queue, the bucket, the rule
}
