// Package sqsserver is a standard SQS queue in this process, for tests: what a queue's consumer sees of one, with
// the clock of a visibility timeout, receive counts, redrive to a dead-letter queue, and the odd message that is
// delivered twice.
//
// It speaks the AWS JSON protocol that the SDKs speak, on 127.0.0.1, and looks at no signature. It serves
// CreateQueue, GetQueueUrl, GetQueueAttributes, SendMessage(Batch), ReceiveMessage, DeleteMessage(Batch) and
// ChangeMessageVisibility. Its tests run against moto too; moto takes some 0.1 s for a message in a queue of
// thousands, which is why this exists.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
package sqsserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Account is the account that owns every queue.
const Account = "000000000000"

// Config says how the queues behave. The zero value is a quiet server in us-east-1.
type Config struct {
	Region string // in the queues' ARNs; default us-east-1

	// Twice, if it is not nil, is asked for each message that is received. True: the message stays visible, so
	// that another consumer gets it at the same time. Standard queues do that, seldom.
	Twice func(messageID string) bool
}

// Server is a running server. It is an http.Handler as well, so that a test can put something in front of it.
type Server struct {
	cfg      Config
	http     *http.Server
	endpoint string

	mu     sync.Mutex
	queues map[string]*queue // by name
}

// Start starts a server on a free port of 127.0.0.1.
func Start(cfg Config) (*Server, error) {
	cfg.Region = cmp.Or(cfg.Region, "us-east-1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sqsserver: %w", err)
	}
	s := &Server{cfg: cfg, endpoint: "http://" + l.Addr().String(), queues: map[string]*queue{}}
	s.http = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	go s.http.Serve(l)
	return s, nil
}

// Endpoint is the server's URL, without a slash at its end.
func (s *Server) Endpoint() string { return s.endpoint }

// Close ends the server and drops its messages.
func (s *Server) Close() { s.http.Close() }

// arn is the name that events and redrive policies give a queue.
func (s *Server) arn(name string) string {
	return "arn:aws:sqs:" + s.cfg.Region + ":" + Account + ":" + name
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operations := map[string]func(*Server, *request) (any, *failure){
		"CreateQueue":                  (*Server).createQueue,
		"GetQueueUrl":                  (*Server).getQueueURL,
		"GetQueueAttributes":           (*Server).getQueueAttributes,
		"SendMessage":                  (*Server).sendMessage,
		"SendMessageBatch":             (*Server).sendMessageBatch,
		"ReceiveMessage":               (*Server).receiveMessage,
		"DeleteMessage":                (*Server).deleteMessage,
		"DeleteMessageBatch":           (*Server).deleteMessageBatch,
		"ChangeMessageVisibility":      (*Server).changeMessageVisibility,
		"ChangeMessageVisibilityBatch": (*Server).changeMessageVisibilityBatch,
	}
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	operation, ok := operations[name]
	if !ok {
		refuse(w, &failure{"com.amazonaws.sqs#UnsupportedOperation", "no operation " + name})
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil { // the client has gone: what it did not send whole has no effect
		panic(http.ErrAbortHandler)
	}
	req := &request{gone: r.Context().Done()}
	if err := json.Unmarshal(body, req); err != nil {
		refuse(w, &failure{"com.amazon.coral.service#SerializationException", "the body is not what " + name + " takes"})
		return
	}
	answer, f := operation(s, req)
	if f != nil {
		refuse(w, f)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	json.NewEncoder(w).Encode(answer)
}

// A failure is an error of the service, by its shape's name.
type failure struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func refuse(w http.ResponseWriter, f *failure) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(f)
}

func invalid(format string, args ...any) *failure {
	return &failure{"com.amazonaws.sqs#InvalidParameterValue", fmt.Sprintf(format, args...)}
}

// request has the members of all operations.
type request struct {
	gone <-chan struct{} // closed when nobody waits for the answer any more

	QueueName         string
	QueueURL          string `json:"QueueUrl"`
	Attributes        map[string]string
	AttributeNames    []string
	MessageBody       string
	MessageAttributes map[string]json.RawMessage
	DelaySeconds      int
	Entries           []entry

	MaxNumberOfMessages         *int
	WaitTimeSeconds             int
	VisibilityTimeout           *int
	ReceiptHandle               string
	MessageSystemAttributeNames []string
}

// entry is one message of a batch.
type entry struct {
	ID                string `json:"Id"`
	MessageBody       string
	MessageAttributes map[string]json.RawMessage
	DelaySeconds      int
	ReceiptHandle     string
	VisibilityTimeout *int
}

func (s *Server) queueOf(r *request) (*queue, *failure) {
	name := r.QueueName
	if name == "" {
		name = r.QueueURL[strings.LastIndexByte(r.QueueURL, '/')+1:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		return nil, &failure{"com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist."}
	}
	return q, nil
}

type queueURL struct{ QueueUrl string } // the member's own name

func (s *Server) url(q *queue) queueURL { return queueURL{s.endpoint + "/" + Account + "/" + q.name} }

func (s *Server) createQueue(r *request) (any, *failure) {
	q := &queue{name: r.QueueName, timeout: 30 * time.Second, handles: map[string]*message{}, changed: make(chan struct{})}
	if q.name == "" {
		return nil, invalid("a queue needs a name")
	}
	for name, value := range r.Attributes {
		switch name {
		case "VisibilityTimeout":
			seconds, err := strconv.Atoi(value)
			if err != nil || seconds < 0 || seconds > maxVisibility {
				return nil, invalid("VisibilityTimeout is 0 to %d", maxVisibility)
			}
			q.timeout = time.Duration(seconds) * time.Second
		case "RedrivePolicy":
			var p struct {
				DeadLetterTargetARN string      `json:"deadLetterTargetArn"`
				MaxReceiveCount     json.Number `json:"maxReceiveCount"` // AWS takes 3 and "3"
			}
			err := json.Unmarshal([]byte(value), &p)
			most, errCount := strconv.Atoi(p.MaxReceiveCount.String())
			if err != nil || errCount != nil || most < 1 {
				return nil, invalid("RedrivePolicy is not one")
			}
			dead, f := s.queueOf(&request{QueueName: p.DeadLetterTargetARN[strings.LastIndexByte(p.DeadLetterTargetARN, ':')+1:]})
			if f != nil {
				return nil, f
			}
			q.redrive, q.deadLetters, q.maxReceives = value, dead, most
		default:
			return nil, &failure{"com.amazonaws.sqs#InvalidAttributeName", "unknown attribute " + name}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[q.name] != nil {
		return nil, &failure{"com.amazonaws.sqs#QueueNameExists", "there is a queue of this name"}
	}
	s.queues[q.name] = q
	return s.url(q), nil
}

func (s *Server) getQueueURL(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	return s.url(q), nil
}

func (s *Server) getQueueAttributes(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	visible, inFlight, delayed := q.counts()
	all := map[string]string{
		"QueueArn":                              s.arn(q.name),
		"VisibilityTimeout":                     strconv.Itoa(int(q.timeout / time.Second)),
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
	}
	if q.redrive != "" {
		all["RedrivePolicy"] = q.redrive
	}
	return struct{ Attributes map[string]string }{chosen(all, r.AttributeNames)}, nil
}

// chosen are the attributes that were asked for: none, some, or All.
func chosen(all map[string]string, names []string) map[string]string {
	some := map[string]string{}
	for _, name := range names {
		if name == "All" {
			return all
		}
		if value, ok := all[name]; ok {
			some[name] = value
		}
	}
	return some
}
