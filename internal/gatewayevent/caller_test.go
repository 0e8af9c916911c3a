package gatewayevent_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/gatewayevent"
	"bulkpresign/internal/policy"
)

// Who asks, of each sample event.
func TestCallersOfSamples(t *testing.T) {
	backend := policy.Caller{
		Kind: policy.IAM, ARN: "arn:aws:sts::123456789012:assumed-role/gallery-backend/gallery",
		Account: "123456789012", UserID: "AROAEXAMPLEEXAMPLE000:gallery",
	}
	const sub = "2b3c4d5e-6f70-4182-93a4-b5c6d7e8f901"
	for name, want := range map[string]policy.Caller{
		"http-api.json":     backend,
		"function-url.json": backend,
		"rest-api.json":     backend,
		"http-api-jwt.json": {Kind: policy.JWT, Claims: map[string]string{
			"auth_time": "1795420700", "client_id": "7exampleclient4pool2", "cognito:groups": "[editors gallery]", "event_id": "5f0d3b8e-0b0e-4f5c-9f6e-3c1f2a7b8c9d",
			"exp": "1795424300", "iat": "1795420700", "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE01", "jti": "0c9f8d7e-6a5b-4c3d-8e2f-1a0b9c8d7e6f",
			"origin_jti": "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d", "scope": "openid profile", "sub": sub, "token_use": "access", "username": sub, "version": "2",
		}},
		"rest-api-jwt.json": {Kind: policy.JWT, Claims: map[string]string{
			"aud": "7exampleclient4pool2", "auth_time": "1795420700", "cognito:groups": "editors,gallery", "cognito:username": "ann", "email": "ann@example.com",
			"email_verified": "true", "event_id": "5f0d3b8e-0b0e-4f5c-9f6e-3c1f2a7b8c9d", "exp": "Mon Nov 23 09:00:00 UTC 2026", "iat": "Mon Nov 23 08:00:00 UTC 2026",
			"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE01", "sub": sub, "token_use": "id",
		}},
	} {
		event, err := os.ReadFile("../../events/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := gatewayevent.CallerOf(event)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: error %v, caller (-want +got):\n%s", name, err, d)
		}
	}
}

// The names of members are those of aws-lambda-go, too.
func TestCallersOfLambdaGo(t *testing.T) {
	const arn, account, id, identity = "arn:aws:iam::123456789012:user/a", "123456789012", "AIDA", "eu-west-1:x"
	claims := map[string]string{"sub": "a"}
	iam := policy.Caller{Kind: policy.IAM, ARN: arn, Account: account, UserID: id}
	withIdentity := iam
	withIdentity.CognitoID = identity
	for _, test := range []struct {
		event any
		want  policy.Caller
	}{
		{events.APIGatewayV2HTTPRequest{RequestContext: events.APIGatewayV2HTTPRequestContext{
			Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{
				UserARN: arn, AccountID: account, UserID: id, CallerID: "other",
				CognitoIdentity: events.APIGatewayV2HTTPRequestContextAuthorizerCognitoIdentity{IdentityID: identity},
			}},
		}}, withIdentity},
		{events.APIGatewayV2HTTPRequest{RequestContext: events.APIGatewayV2HTTPRequestContext{
			Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
				JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims, Scopes: []string{"s"}},
			},
		}}, policy.Caller{Kind: policy.JWT, Claims: claims}},
		{events.APIGatewayV2HTTPRequest{RequestContext: events.APIGatewayV2HTTPRequestContext{
			Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{"claims": claims}},
		}}, policy.Caller{}},
		{events.LambdaFunctionURLRequest{RequestContext: events.LambdaFunctionURLRequestContext{
			Authorizer: &events.LambdaFunctionURLRequestContextAuthorizerDescription{IAM: &events.LambdaFunctionURLRequestContextAuthorizerIAMDescription{
				UserARN: arn, AccountID: account, UserID: id,
			}},
		}}, iam},
		{events.APIGatewayProxyRequest{RequestContext: events.APIGatewayProxyRequestContext{
			AccountID: "999999999999", Identity: events.APIGatewayRequestIdentity{UserArn: arn, AccountID: account, User: id, CognitoIdentityID: identity},
		}}, withIdentity},
		{events.APIGatewayProxyRequest{RequestContext: events.APIGatewayProxyRequestContext{
			Authorizer: map[string]any{"claims": claims}, Identity: events.APIGatewayRequestIdentity{SourceIP: "203.0.113.17"},
		}}, policy.Caller{Kind: policy.JWT, Claims: claims}},
	} {
		text, err := json.Marshal(test.event)
		if err != nil {
			t.Fatal(err)
		}
		got, err := gatewayevent.CallerOf(text)
		if d := cmp.Diff(test.want, got); d != "" || err != nil {
			t.Errorf("%s: error %v, caller (-want +got):\n%s", text, err, d)
		}
	}
}

// Nothing but the request context tells who asks, and there only what AWS wrote into
// the places that it documents.
func TestCallers(t *testing.T) {
	jwt := func(claims map[string]string) policy.Caller { return policy.Caller{Kind: policy.JWT, Claims: claims} }
	for _, test := range []struct {
		event string
		want  policy.Caller
	}{
		{`{"requestContext":{}}`, policy.Caller{}},
		{`{"requestContext":{"authorizer":null,"identity":null}}`, policy.Caller{}},
		{`{"requestContext":{"authorizer":{"iam":null,"jwt":null}}}`, policy.Caller{}},
		{`{"requestContext":{"accountId":"123456789012","authorizer":{"iam":{"userArn":null,"accountId":null}}}}`, policy.Caller{}},
		{`{"requestContext":{"authorizer":{"iam":{"userArn":"arn:aws:iam::123456789012:user/a","userId":"AIDA","accountId":"123456789012","cognitoIdentity":{"identityId":"eu-west-1:x","amr":["authenticated"]}}}}}`,
			policy.Caller{Kind: policy.IAM, ARN: "arn:aws:iam::123456789012:user/a", UserID: "AIDA", Account: "123456789012", CognitoID: "eu-west-1:x"}},
		{`{"requestContext":{"identity":{"userArn":"arn:aws:iam::123456789012:user/a","user":"AIDA","caller":"AIDA","accountId":"123456789012","cognitoIdentityId":"eu-west-1:x"}}}`,
			policy.Caller{Kind: policy.IAM, ARN: "arn:aws:iam::123456789012:user/a", UserID: "AIDA", Account: "123456789012", CognitoID: "eu-west-1:x"}},
		// Claims that are no strings are left out, so that none is taken for another.
		{`{"requestContext":{"authorizer":{"jwt":{"claims":{"sub":"a","n":1,"b":true,"list":["a"],"o":{"sub":"x"},"z":null},"scopes":["s"]}}}}`, jwt(map[string]string{"sub": "a"})},
		{`{"requestContext":{"authorizer":{"jwt":{"claims":{}}}}}`, jwt(map[string]string{})},
		{`{"requestContext":{"authorizer":{"claims":{"sub":"a"}}}}`, jwt(map[string]string{"sub": "a"})},
		// A Lambda authorizer's word is not AWS's, whatever it calls things.
		{`{"requestContext":{"authorizer":{"lambda":{"claims":{"sub":"a"},"iam":{"userArn":"arn:aws:iam::123456789012:user/a"}}}}}`, policy.Caller{}},
		{`{"requestContext":{"authorizer":{"principalId":"a","userArn":"arn:aws:iam::123456789012:user/a","claims":"a","jwt":"a"}}}`, policy.Caller{}},
		// What a client can set.
		{`{"requestContext":{"http":{"userAgent":"a","sourceIp":"1.2.3.4"}},"headers":{"authorization":"Bearer x.y.z","x-amzn-oidc-identity":"a","userarn":"arn:aws:iam::123456789012:user/a"},
			"queryStringParameters":{"authorizer":"x"},"body":"{\"requestContext\":{\"authorizer\":{\"claims\":{\"sub\":\"a\"}}}}"}`, policy.Caller{}},
		{`{"authorizer":{"claims":{"sub":"a"}},"identity":{"userArn":"arn:aws:iam::123456789012:user/a"},"requestContext":{}}`, policy.Caller{}},
	} {
		got, err := gatewayevent.CallerOf([]byte(test.event))
		if d := cmp.Diff(test.want, got); d != "" || err != nil {
			t.Errorf("%s: error %v, caller (-want +got):\n%s", test.event, err, d)
		}
	}
}
