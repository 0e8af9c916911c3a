// Package httpapi stands in for an API Gateway HTTP API in front of a Lambda function: it turns an HTTP request into
// an event of payload format 2.0, and the function's answer into an HTTP response.
//
// Without Routes there is one, $default, so that every method and path comes to the function. Nothing is authorised:
// the event says that a made-up IAM user called.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bulkpresign/internal/standin/runtimeapi"
)

// The quotas of an HTTP API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	maxBody = 10 << 20 // bytes of a request body
	timeout = 30 * time.Second
)

// A Function is what stands behind the API.
type Function interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Handler is the API.
type Handler struct {
	Function Function
	Timeout  time.Duration // default 30 s, as in AWS
	Routes   []string      // such as "POST /presign"; any other request is not found
	CORS     *CORS         // nil: pages elsewhere may not call
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.CORS.answer(w, r) {
		return
	}
	route := "$default"
	if h.Routes != nil {
		if route = r.Method + " " + r.URL.Path; !slices.Contains(h.Routes, route) {
			fail(w, http.StatusNotFound, "Not Found")
			return
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			fail(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		} else {
			fail(w, http.StatusBadRequest, "Bad Request")
		}
		return
	}
	event, err := routed(r, body, time.Now(), route)
	if err != nil {
		fail(w, http.StatusBadRequest, "Bad Request")
		return
	}
	limit := timeout
	if h.Timeout > 0 {
		limit = h.Timeout
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	payload, err := h.Function.Invoke(ctx, event)
	switch {
	case errors.Is(err, runtimeapi.ErrEventTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	case err != nil: // what the function says about its error is for its log, not for the caller
		fail(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	response, err := ParseResponse(payload)
	if err != nil {
		fail(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.Status)
	w.Write(response.Body)
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, message)
}

type event struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext  requestContext    `json:"requestContext"`
	Body            string            `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string     `json:"accountId"`
	APIID        string     `json:"apiId"`
	Authorizer   authorizer `json:"authorizer"`
	DomainName   string     `json:"domainName"`
	DomainPrefix string     `json:"domainPrefix"`
	HTTP         httpPart   `json:"http"`
	RequestID    string     `json:"requestId"`
	RouteKey     string     `json:"routeKey"`
	Stage        string     `json:"stage"`
	Time         string     `json:"time"`
	TimeEpoch    int64      `json:"timeEpoch"`
}

type authorizer struct {
	IAM iam `json:"iam"`
}

type iam struct {
	AccessKey       string  `json:"accessKey"`
	AccountID       string  `json:"accountId"`
	CallerID        string  `json:"callerId"`
	CognitoIdentity *string `json:"cognitoIdentity"` // null for a caller who signed with IAM credentials
	PrincipalOrgID  *string `json:"principalOrgId"`
	UserARN         string  `json:"userArn"`
	UserID          string  `json:"userId"`
}

type httpPart struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

const account = "000000000000"

var caller = iam{
	AccessKey: "AKIALOCALEXAMPLE0000",
	AccountID: account,
	CallerID:  "AIDALOCALEXAMPLE0000",
	UserARN:   "arn:aws:iam::" + account + ":user/local",
	UserID:    "AIDALOCALEXAMPLE0000",
}

// Event returns the event of payload format 2.0 for a request to the route $default.
func Event(r *http.Request, body []byte, now time.Time) ([]byte, error) {
	return routed(r, body, now, "$default")
}

func routed(r *http.Request, body []byte, now time.Time, route string) ([]byte, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	sourceIP, port, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	if _, p, err := net.SplitHostPort(r.Host); err == nil {
		port = p
	}
	id := rand.Text()[:16]
	e := event{
		Version:        "2.0",
		RouteKey:       route,
		RawPath:        r.URL.Path,
		RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{
			"host":              r.Host,
			"content-length":    strconv.Itoa(len(body)),
			"x-amzn-trace-id":   fmt.Sprintf("Root=1-%08x-%024x", now.Unix(), now.UnixNano()),
			"x-forwarded-for":   sourceIP,
			"x-forwarded-port":  port,
			"x-forwarded-proto": "http",
		},
		Query: joined(query),
		RequestContext: requestContext{
			AccountID:    account,
			APIID:        "local",
			Authorizer:   authorizer{caller},
			DomainName:   r.Host,
			DomainPrefix: "local",
			HTTP: httpPart{
				Method:    r.Method,
				Path:      r.URL.Path,
				Protocol:  r.Proto,
				SourceIP:  sourceIP,
				UserAgent: r.UserAgent(),
			},
			RequestID: id,
			RouteKey:  route,
			Stage:     "$default",
			Time:      now.UTC().Format("02/Jan/2006:15:04:05 +0000"),
			TimeEpoch: now.UnixMilli(),
		},
	}
	for name, values := range r.Header {
		switch name = strings.ToLower(name); name {
		case "cookie":
			for _, v := range values {
				for c := range strings.SplitSeq(v, ";") {
					e.Cookies = append(e.Cookies, strings.TrimSpace(c))
				}
			}
		case "x-forwarded-for": // the address that API Gateway saw comes last
			e.Headers[name] = strings.Join(append(values, sourceIP), ", ")
		case "content-length", "x-forwarded-port", "x-forwarded-proto":
		default:
			e.Headers[name] = strings.Join(values, ",")
		}
	}
	// A text type does not make text of the body. What is not UTF-8 would reach the function changed.
	if isText(r.Header.Get("Content-Type")) && utf8.Valid(body) {
		e.Body = string(body)
	} else if len(body) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func joined(query url.Values) map[string]string {
	m := make(map[string]string, len(query))
	for name, values := range query {
		m[name] = strings.Join(values, ",")
	}
	return m
}

// isText reports whether a body of this type is put into the event as it is.
func isText(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}

// Response is an HTTP response as the function meant it.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// ParseResponse reads what a function answered to an event of an HTTP API, a function URL or a REST API. An answer
// without a statusCode is the body of a 200 itself. A streamed one has its body behind eight zero bytes, which no
// JSON holds.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
func ParseResponse(payload []byte) (Response, error) {
	if prelude, body, ok := bytes.Cut(payload, make([]byte, 8)); ok {
		r, err := ParseResponse(prelude)
		r.Body = body
		return r, err
	}
	var answer struct {
		StatusCode        *int                `json:"statusCode"`
		Headers           map[string]any      `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"` // REST APIs
		Cookies           []string            `json:"cookies"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	if !json.Valid(payload) {
		return Response{}, errors.New("httpapi: the answer is not JSON")
	}
	isObject := bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{"))
	if isObject {
		var probe struct {
			StatusCode json.RawMessage `json:"statusCode"`
		}
		_ = json.Unmarshal(payload, &probe) // it is valid, and anything fits a RawMessage
		isObject = probe.StatusCode != nil
	}
	if !isObject {
		body := payload
		var text string
		if json.Unmarshal(payload, &text) == nil {
			body = []byte(text)
		}
		return Response{200, http.Header{"Content-Type": {"application/json"}}, body}, nil
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return Response{}, errors.New("httpapi: the answer has a member of the wrong type")
	}
	if answer.StatusCode == nil || *answer.StatusCode < 200 || *answer.StatusCode > 599 {
		return Response{}, errors.New("httpapi: statusCode is not a status")
	}
	r := Response{Status: *answer.StatusCode, Header: http.Header{}, Body: []byte(answer.Body)}
	for name, value := range answer.Headers {
		r.Header.Set(name, fmt.Sprint(value))
	}
	for name, values := range answer.MultiValueHeaders {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	for _, c := range answer.Cookies {
		r.Header.Add("Set-Cookie", c)
	}
	for _, ours := range []string{"Content-Length", "Transfer-Encoding", "Connection"} {
		r.Header.Del(ours)
	}
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	if answer.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(answer.Body)
		if err != nil {
			return Response{}, errors.New("httpapi: the body is not base64")
		}
		r.Body = body
	}
	return r, nil
}
