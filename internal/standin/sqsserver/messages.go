package sqsserver

import (
	"container/heap"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"sync"
	"time"
)

// Limits of the service.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxVisibility  = 12 * 60 * 60 // seconds
	maxBatch       = 10           // messages
	maxWait        = 20           // seconds
	maxDelay       = 15 * 60      // seconds
	maxMessageSize = 1 << 20      // bytes; of a whole batch too
)

type queue struct {
	name        string
	timeout     time.Duration // visibility
	redrive     string        // the policy as it was given
	deadLetters *queue        // nil: there is none
	maxReceives int

	mu      sync.Mutex
	waiting messages
	handles map[string]*message // each receive has its own handle; any of them deletes
	sent    int                 // ever, to keep equals in order
	changed chan struct{}       // closed, and made anew, when messages came
}

// A message is in its queue until it is deleted; what differs is when it can be seen.
type message struct {
	id, body, md5 string
	attributes    map[string]json.RawMessage
	sent, first   time.Time // first: received for the first time
	receives      int
	visible       time.Time // from when on
	handles       []string
	number        int
	index         int // in the heap; -1 when it is gone
}

// messages is a heap: what is visible first is on top.
type messages []*message

func (m messages) Len() int { return len(m) }
func (m messages) Less(i, j int) bool {
	if m[i].visible.Equal(m[j].visible) {
		return m[i].number < m[j].number
	}
	return m[i].visible.Before(m[j].visible)
}
func (m messages) Swap(i, j int) {
	m[i], m[j] = m[j], m[i]
	m[i].index, m[j].index = i, j
}
func (m *messages) Push(x any) {
	x.(*message).index = len(*m)
	*m = append(*m, x.(*message))
}
func (m *messages) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	last.index = -1
	return last
}

func (q *queue) counts() (visible, inFlight, delayed int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, m := range q.waiting {
		switch {
		case !m.visible.After(now):
			visible++
		case m.receives > 0:
			inFlight++
		default:
			delayed++
		}
	}
	return
}

func (q *queue) add(m *message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent++
	m.number = q.sent
	heap.Push(&q.waiting, m)
	close(q.changed)
	q.changed = make(chan struct{})
}

type sendResult struct {
	ID  string `json:"Id,omitempty"`
	MD5 string `json:"MD5OfMessageBody"`
	// MessageID is the service's; ID above is the caller's name for the entry.
	MessageID string `json:"MessageId"`
}

func (q *queue) send(e *entry) (sendResult, *failure) {
	switch {
	case e.MessageBody == "":
		return sendResult{}, &failure{"com.amazonaws.sqs#MissingParameter", "The request must contain the parameter MessageBody."}
	case len(e.MessageBody) > maxMessageSize:
		return sendResult{}, invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessageSize)
	case e.DelaySeconds < 0 || e.DelaySeconds > maxDelay:
		return sendResult{}, invalid("DelaySeconds is 0 to %d", maxDelay)
	}
	sum := md5.Sum([]byte(e.MessageBody))
	now := time.Now()
	m := &message{
		id:         newID(),
		body:       e.MessageBody,
		md5:        hex.EncodeToString(sum[:]),
		attributes: e.MessageAttributes,
		sent:       now,
		visible:    now.Add(time.Duration(e.DelaySeconds) * time.Second),
	}
	q.add(m)
	return sendResult{ID: e.ID, MD5: m.md5, MessageID: m.id}, nil
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (s *Server) sendMessage(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	result, f := q.send(&entry{MessageBody: r.MessageBody, MessageAttributes: r.MessageAttributes, DelaySeconds: r.DelaySeconds})
	if f != nil {
		return nil, f
	}
	return result, nil
}

// A batchFailure is an entry that failed by itself.
type batchFailure struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type batchResult[T any] struct {
	Successful []T
	Failed     []batchFailure
}

// each runs an operation on every entry of a batch.
func each[T any](entries []entry, do func(*entry) (T, *failure)) (any, *failure) {
	if len(entries) == 0 {
		return nil, &failure{"com.amazonaws.sqs#EmptyBatchRequest", "There should be at least one entry in the request."}
	}
	if len(entries) > maxBatch {
		return nil, &failure{"com.amazonaws.sqs#TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10."}
	}
	ids := map[string]bool{}
	size := 0
	for _, e := range entries {
		if ids[e.ID] {
			return nil, &failure{"com.amazonaws.sqs#BatchEntryIdsNotDistinct", "Id " + e.ID + " repeated."}
		}
		ids[e.ID] = true
		size += len(e.MessageBody)
	}
	if size > maxMessageSize {
		return nil, &failure{"com.amazonaws.sqs#BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes."}
	}
	result := batchResult[T]{Successful: []T{}}
	for i := range entries {
		done, f := do(&entries[i])
		if f != nil {
			result.Failed = append(result.Failed, batchFailure{entries[i].ID, f.Type[len("com.amazonaws.sqs#"):], f.Message, true})
			continue
		}
		result.Successful = append(result.Successful, done)
	}
	return result, nil
}

func (s *Server) sendMessageBatch(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	return each(r.Entries, q.send)
}

// received is a message as a consumer gets it.
type received struct {
	MessageId, ReceiptHandle, Body, MD5OfBody string
	Attributes                                map[string]string          `json:",omitempty"`
	MessageAttributes                         map[string]json.RawMessage `json:",omitempty"`
}

func (s *Server) receiveMessage(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	most := 1
	if r.MaxNumberOfMessages != nil {
		most = *r.MaxNumberOfMessages
	}
	timeout := q.timeout
	if r.VisibilityTimeout != nil {
		timeout = time.Duration(*r.VisibilityTimeout) * time.Second
	}
	switch {
	case most < 1 || most > maxBatch:
		return nil, invalid("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", most)
	case r.WaitTimeSeconds < 0 || r.WaitTimeSeconds > maxWait:
		return nil, invalid("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", r.WaitTimeSeconds)
	case timeout < 0 || timeout > maxVisibility*time.Second:
		return nil, invalid("VisibilityTimeout is 0 to %d", maxVisibility)
	}
	names := append(r.AttributeNames, r.MessageSystemAttributeNames...)
	end := time.NewTimer(time.Duration(r.WaitTimeSeconds) * time.Second)
	defer end.Stop()
	for {
		got, next, changed := q.take(most, timeout, names, s.cfg.Twice)
		if len(got) > 0 || r.WaitTimeSeconds == 0 {
			return struct{ Messages []received }{got}, nil
		}
		due := time.NewTimer(next)
		select {
		case <-changed:
		case <-due.C:
		case <-end.C:
			r.WaitTimeSeconds = 0
		case <-r.gone: // or it would take messages for nobody
			due.Stop()
			return struct{}{}, nil
		}
		due.Stop()
	}
}

// take receives what is visible now. When there is nothing it tells how long until something becomes visible, and
// gives a channel that is closed when something is sent.
func (q *queue) take(most int, timeout time.Duration, names []string, twice func(string) bool) (got []received, next time.Duration, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	var again []*message
	for len(got) < most && len(q.waiting) > 0 && !q.waiting[0].visible.After(now) {
		m := q.waiting[0]
		if q.deadLetters != nil && m.receives >= q.maxReceives {
			q.drop(m)
			// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
			// The count goes on, and so does the time of sending.
			q.deadLetters.add(m)
			continue
		}
		m.receives++
		if m.receives == 1 {
			m.first = now
		}
		handle := rand.Text() + rand.Text()
		m.handles = append(m.handles, handle)
		q.handles[handle] = m
		m.visible = now.Add(timeout)
		heap.Fix(&q.waiting, m.index)
		if twice != nil && twice(m.id) {
			again = append(again, m)
		}
		got = append(got, received{
			MessageId: m.id, ReceiptHandle: handle, Body: m.body, MD5OfBody: m.md5,
			MessageAttributes: m.attributes,
			Attributes: chosen(map[string]string{
				"SenderId":                         "AIDAIENQZJOLO23YVJ4VO",
				"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
				"ApproximateReceiveCount":          strconv.Itoa(m.receives),
				"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
			}, names),
		})
	}
	for _, m := range again { // not into the same answer
		m.visible = now
		heap.Fix(&q.waiting, m.index)
	}
	next = time.Hour
	if len(q.waiting) > 0 {
		next = q.waiting[0].visible.Sub(now)
	}
	return got, next, q.changed
}

// drop takes a message out of the queue.
func (q *queue) drop(m *message) {
	heap.Remove(&q.waiting, m.index)
	for _, h := range m.handles {
		delete(q.handles, h)
	}
	m.handles = nil
}

// remove deletes a message. That it is gone already is no error.
func (q *queue) remove(e *entry) (struct{ Id string }, *failure) {
	if e.ReceiptHandle == "" {
		return struct{ Id string }{}, &failure{"com.amazonaws.sqs#ReceiptHandleIsInvalid", "The input receipt handle is invalid."}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.handles[e.ReceiptHandle]; m != nil {
		q.drop(m)
	}
	return struct{ Id string }{e.ID}, nil
}

func (s *Server) deleteMessage(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	_, f = q.remove(&entry{ReceiptHandle: r.ReceiptHandle})
	return struct{}{}, f
}

func (s *Server) deleteMessageBatch(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	return each(r.Entries, q.remove)
}

// hide makes a message that was received visible at another time.
func (q *queue) hide(e *entry) (struct{ Id string }, *failure) {
	done := struct{ Id string }{e.ID}
	if e.VisibilityTimeout == nil || *e.VisibilityTimeout < 0 || *e.VisibilityTimeout > maxVisibility {
		return done, invalid("VisibilityTimeout is 0 to %d", maxVisibility)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.handles[e.ReceiptHandle]
	if m == nil {
		return done, &failure{"com.amazonaws.sqs#ReceiptHandleIsInvalid", "The input receipt handle is invalid."}
	}
	m.visible = time.Now().Add(time.Duration(*e.VisibilityTimeout) * time.Second)
	heap.Fix(&q.waiting, m.index)
	close(q.changed)
	q.changed = make(chan struct{})
	return done, nil
}

func (s *Server) changeMessageVisibility(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	_, f = q.hide(&entry{ReceiptHandle: r.ReceiptHandle, VisibilityTimeout: r.VisibilityTimeout})
	return struct{}{}, f
}

func (s *Server) changeMessageVisibilityBatch(r *request) (any, *failure) {
	q, f := s.queueOf(r)
	if f != nil {
		return nil, f
	}
	return each(r.Entries, q.hide)
}
