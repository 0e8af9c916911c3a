package policy

import (
	"slices"
	"strings"
)

// callers is a condition that some callers meet.
type callers struct {
	kind       Kind
	principals []principal // of IAM: any of them; nil is all
	claims     []claim     // of a JWT: all of them
	groups     []string    // of a JWT: any of them; nil is all
	service    string      // "" is all
	sources    []string    // patterns: any of them; nil is all
}

// claim is what a claim must be: one of some values.
type claim struct {
	name   string
	values []string
}

func (c *callers) match(who *Caller) bool {
	if c.kind != who.Kind {
		return false
	}
	for _, claim := range c.claims {
		if !slices.Contains(claim.values, who.Claims[claim.name]) {
			return false
		}
	}
	return (c.principals == nil || slices.ContainsFunc(c.principals, func(p principal) bool { return p.match(who.ARN) })) &&
		(c.groups == nil || slices.ContainsFunc(groups(who.Claims["cognito:groups"]), func(g string) bool { return slices.Contains(c.groups, g) })) &&
		(c.service == "" || c.service == who.Service) &&
		(c.sources == nil || slices.ContainsFunc(c.sources, func(p string) bool { return matchARN(p, who.SourceARN) }))
}

// groups reads the claim cognito:groups, which HTTP APIs write as "[a b]" and REST APIs
// as "a,b". Names of groups have no white space.
//
// https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateGroup.html
func groups(claim string) []string {
	if list, ok := strings.CutPrefix(claim, "["); ok {
		return strings.Fields(strings.TrimSuffix(list, "]"))
	}
	return strings.Split(claim, ",")
}

// principal is a pattern of IAM principals.
type principal struct {
	partition string // may be "*"
	service   string
	account   string
	resource  []string // the type and its names: role, NAME
}

const principalForm = "the ARN of a user, a role (its name without a path), a role's session, a federated user, an account's root, or" +
	" arn:aws:iam::ACCOUNT:* for all of an account; * and ? are wildcards in names, and the account is twelve digits"

// parsePrincipal reads a pattern as it is written in IAM policies. A session's ARN has
// no path of its role, and an account has no two roles of one name, so patterns of
// roles have none.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func parsePrincipal(s string) (p principal, ok bool) {
	part := strings.SplitN(s, ":", 6)
	if len(part) != 6 || part[0] != "arn" || part[3] != "" || len(part[4]) != 12 || !consists(part[4], digits) {
		return p, false
	}
	p = principal{partition: part[1], service: part[2], account: part[4], resource: strings.SplitN(part[5], "/", 3)}
	const name = letters + digits + "+=,.@_-*?"
	r := p.resource
	switch {
	case p.partition != "*" && !consists(p.partition, "abcdefghijklmnopqrstuvwxyz-"):
		return p, false
	case p.service == "iam" && len(r) == 1:
		return p, r[0] == "*" || r[0] == "root"
	case p.service == "iam" && r[0] == "user":
		p.resource = strings.SplitN(part[5], "/", 2) // a user's path is part of its name here
		return p, consists(p.resource[1], name+"/")
	case p.service == "iam" && r[0] == "role", p.service == "sts" && r[0] == "federated-user":
		return p, len(r) == 2 && consists(r[1], name)
	case p.service == "sts" && r[0] == "assumed-role":
		return p, len(r) == 3 && consists(r[1], name) && consists(r[2], name)
	}
	return p, false
}

// match tells whether the pattern holds for a caller's ARN. A role's pattern holds for
// all of its sessions, as it does in an IAM policy. The session's own name, which who
// assumes the role may choose, is looked at by a pattern of sessions alone.
func (p principal) match(arn string) bool {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[0] != "arn" || p.partition != "*" && p.partition != part[1] || part[3] != "" || p.account != part[4] {
		return false
	}
	service, resource := part[2], part[5]
	kind, names, _ := strings.Cut(resource, "/")
	switch {
	case p.resource[0] == "*":
		return service == "iam" || service == "sts"
	case p.resource[0] == "role":
		role, _, isSession := strings.Cut(names, "/")
		return service == "sts" && kind == "assumed-role" && isSession && glob(p.resource[1], role)
	case p.service != service || p.resource[0] != kind:
		return false
	case kind == "root":
		return names == ""
	case kind == "assumed-role":
		role, session, isSession := strings.Cut(names, "/")
		return isSession && glob(p.resource[1], role) && glob(p.resource[2], session)
	}
	return names != "" && glob(p.resource[1], names)
}

func isARNPattern(s string) bool {
	part := strings.SplitN(s, ":", 6)
	return len(part) == 6 && part[0] == "arn" && part[1] != "" && part[2] != "" && part[5] != "" && !strings.ContainsAny(s, " \t\r\n")
}

// matchARN compares the six parts of ARNs one by one, as IAM's ArnLike does.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func matchARN(pattern, arn string) bool {
	p, a := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	return len(p) == len(a) && !slices.ContainsFunc([]int{0, 1, 2, 3, 4, 5}, func(i int) bool { return !glob(p[i], a[i]) })
}

// glob tells whether s is what pattern says: "*" is any text and "?" any byte.
func glob(pattern, s string) bool {
	star, back := -1, 0
	p := 0
	for i := 0; i < len(s); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, back = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0: // the last star takes one byte more
			back++
			p, i = star+1, back
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// template is a key prefix with placeholders for what is known of the caller.
type template []piece

// piece is a text or a placeholder.
type piece struct {
	text  string
	value func(*Caller) string
}

// parseTemplate reads a prefix. So that different callers can never reach each other's
// keys, a placeholder must be the only one of its path segment, and the segment must
// end: "users/${jwt:sub}" would give ab the folder of abc.
func parseTemplate(s string) (t template, problem string) {
	open := false // a segment that has a placeholder
	for {
		text, rest, found := strings.Cut(s, "${")
		switch {
		case strings.ContainsAny(text, "*?"):
			return nil, "is a prefix, in which * and ? would mean themselves: leave the wildcard out"
		case strings.Contains(text, "$"):
			return nil, "has a $ that begins no placeholder"
		case hasControl(text):
			return nil, "has a control character"
		case strings.Contains(text, "/"):
			open = false
		}
		if text != "" {
			t = append(t, piece{text: text})
		}
		if !found {
			break
		}
		name, rest, closed := strings.Cut(rest, "}")
		value := placeholder(name)
		switch {
		case !closed:
			return nil, "has a placeholder without an end"
		case strings.HasPrefix(name, "aws:PrincipalTag/"):
			return nil, "has a placeholder for a principal's tag, which none of the events tells: take ${iam:role} or a claim"
		case value == nil:
			return nil, "has an unknown placeholder: there are ${jwt:CLAIM}, ${aws:userid}, ${aws:username}, ${aws:PrincipalAccount}, ${iam:role} and ${cognito-identity.amazonaws.com:sub}"
		case open:
			return nil, "has two placeholders in one path segment, so that different callers could have the same"
		}
		open = true
		t = append(t, piece{value: value})
		s = rest
	}
	if open {
		return nil, `has a placeholder without a "/" somewhere behind it, so that one caller's prefix could begin another's`
	}
	if hasDotSegment(t.join("x")) {
		return nil, `has a path segment "." or "..", under which no key is signed`
	}
	return t, ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func hasDotSegment(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

// join is the template with the same value for each placeholder.
func (t template) join(value string) string {
	var b strings.Builder
	for _, piece := range t {
		if piece.value != nil {
			b.WriteString(value)
		}
		b.WriteString(piece.text)
	}
	return b.String()
}

// placeholder finds the value that a name stands for, or nil. The names are IAM's where
// IAM has them.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func placeholder(name string) func(*Caller) string {
	if claim, ok := strings.CutPrefix(name, "jwt:"); ok && isClaimName(claim) {
		return func(c *Caller) string { return c.Claims[claim] }
	}
	switch name {
	case "aws:userid":
		return func(c *Caller) string { return c.UserID }
	case "aws:username":
		return func(c *Caller) string {
			_, path, _ := strings.Cut(c.ARN, ":user/")
			return path[strings.LastIndexByte(path, '/')+1:]
		}
	case "aws:PrincipalAccount":
		return func(c *Caller) string { return c.Account }
	case "iam:role":
		return func(c *Caller) string {
			_, names, _ := strings.Cut(c.ARN, ":assumed-role/")
			role, _, _ := strings.Cut(names, "/")
			return role
		}
	case "cognito-identity.amazonaws.com:sub":
		return func(c *Caller) string { return c.CognitoID }
	}
	return nil
}

// isSafe tells whether a value may stand in a prefix: then it is part of one path
// segment, whatever it is, and no encoding, normalisation or pattern makes another of
// it. Numbers and lists of claims come as strings too; a list has brackets, which are not
// among these.
func isSafe(value string) bool {
	return consists(value, letters+digits+"-_.@+=:,|~") && value != "." && value != ".."
}

// expand puts a caller's values in. With one that is missing or unsafe it is not ok,
// and before is what stands before that.
func (t template) expand(c *Caller) (prefix, before string, ok bool) {
	var b strings.Builder
	for _, piece := range t {
		text := piece.text
		if piece.value != nil {
			if text = piece.value(c); !isSafe(text) {
				return "", b.String(), false
			}
		}
		b.WriteString(text)
	}
	return b.String(), "", true
}
