package job

import (
	"encoding/json"
	"net/url"
	"strings"

	"bulkpresign/internal/objects"
)

// message is one of a queue's.
type message struct {
	ID     string
	Inputs []*Input
}

type s3Record struct {
	EventSource string `json:"eventSource"`
	EventName   string `json:"eventName"`
	S3          struct {
		Bucket struct{ Name, ARN string } `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			ETag      string `json:"eTag"`
			Version   string `json:"versionId"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`
}

// decodeMessages reads an event of SQS.
func decodeMessages(payload []byte) (list []message, ok bool, err error) {
	var event struct {
		Records []struct {
			EventSource string `json:"eventSource"`
			ID          string `json:"messageId"`
			Body        string `json:"body"`
			ARN         string `json:"eventSourceARN"`
		} `json:"Records"`
	}
	if json.Unmarshal(payload, &event) != nil || len(event.Records) == 0 || event.Records[0].EventSource != "aws:sqs" {
		return nil, false, nil
	}
	for _, record := range event.Records {
		m := message{ID: record.ID}
		caller := Caller("sqs.amazonaws.com", record.ARN)
		body := []byte(record.Body)
		var sns struct{ Type, TopicArn, Message string }
		if json.Unmarshal(body, &sns) == nil && sns.Type == "Notification" && sns.TopicArn != "" {
			body = []byte(sns.Message)
		}
		var e envelope
		if json.Unmarshal(body, &e) == nil && e.Job != nil {
			m.Inputs = []*Input{e.Job}
		} else if inputs, ok, _ := decodeObjects(body); ok {
			m.Inputs = inputs
		} else {
			m.Inputs = []*Input{{Request: body}}
		}
		for _, in := range m.Inputs {
			in.Caller = caller
		}
		list = append(list, m)
	}
	return list, true, nil
}

// decodeObjects reads a notification of S3, its own or EventBridge's.
func decodeObjects(payload []byte) (list []*Input, ok bool, err error) {
	var event struct {
		Records []s3Record
		Event   string // s3:TestEvent
		Source  string `json:"source"`
		Detail  struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key       string `json:"key"`
				ETag      string `json:"etag"`
				Version   string `json:"version-id"`
				Sequencer string `json:"sequencer"`
			} `json:"object"`
		} `json:"detail"`
	}
	if json.Unmarshal(payload, &event) != nil {
		return nil, false, nil
	}
	switch {
	case event.Event == "s3:TestEvent":
		return nil, true, nil
	case event.Source == "aws.s3":
		o := event.Detail.Object
		return []*Input{{
			Caller:    Caller("s3.amazonaws.com", "arn:aws:s3:::"+event.Detail.Bucket.Name),
			Object:    objects.Ref{Bucket: event.Detail.Bucket.Name, Key: o.Key, Version: o.Version, ETag: o.ETag},
			Sequencer: o.Sequencer,
		}}, true, nil
	case len(event.Records) == 0 || event.Records[0].EventSource != "aws:s3":
		return nil, false, nil
	}
	for _, record := range event.Records {
		if !strings.HasPrefix(record.EventName, "ObjectCreated:") {
			continue
		}
		o := record.S3.Object
		key, err := url.QueryUnescape(o.Key)
		if err != nil {
			return nil, false, err
		}
		list = append(list, &Input{
			Caller:    Caller("s3.amazonaws.com", record.S3.Bucket.ARN),
			Object:    objects.Ref{Bucket: record.S3.Bucket.Name, Key: key, Version: o.Version, ETag: o.ETag},
			Sequencer: o.Sequencer,
		})
	}
	return list, true, nil
}
