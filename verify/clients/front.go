package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"bulkpresign/internal/check/rawhttp"
)

// front is the S3 server as clients reach it: it keeps each request target as it came over the wire, and passes the
// request on with not a byte of the target changed. The browser's page comes from here too, and so needs no CORS.
type front struct {
	url, host string

	to     string // the S3 server
	here   string
	server *http.Server

	mu      sync.Mutex
	targets map[string]string // by signature, the first time it came
	log     []request         // in the order of arrival
	pending sync.WaitGroup    // of those in log that are not answered yet
	tasks   []task            // for the page
	answers chan []pageAnswer // of the page
}

// request is one that came for an object.
type request struct {
	method, target, ranges string
	status                 int
}

// pageAnswer is what the page got for a task.
type pageAnswer struct {
	Status int
	Body   []byte
}

func startFront(to, here string) (*front, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &front{
		url: "http://" + l.Addr().String(), host: l.Addr().String(), to: to, here: here,
		targets: map[string]string{}, answers: make(chan []pageAnswer, 1),
	}
	// A handler and no ServeMux, which would clean paths and redirect.
	f.server = &http.Server{Handler: http.HandlerFunc(f.serve), ErrorLog: log.New(io.Discard, "", 0)}
	go f.server.Serve(l)
	return f, nil
}

func (f *front) close() { f.server.Close() }

var signature = regexp.MustCompile(`X-Amz-Signature=([0-9a-f]{64})`)

func (f *front) serve(w http.ResponseWriter, r *http.Request) {
	signed := signature.FindStringSubmatch(r.RequestURI)
	if signed == nil && !strings.HasPrefix(r.RequestURI, "/"+bucket+"/") {
		f.page(w, r)
		return
	}
	f.mu.Lock()
	if signed != nil {
		if _, again := f.targets[signed[1]]; !again {
			f.targets[signed[1]] = r.RequestURI
		}
	}
	f.pending.Add(1)
	defer f.pending.Done()
	which := len(f.log)
	f.log = append(f.log, request{method: r.Method, target: r.RequestURI, ranges: r.Header.Get("Range")})
	f.mu.Unlock()
	answered := func(status int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if which < len(f.log) {
			f.log[which].status = status
		}
	}

	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		switch name {
		case "Connection", "Expect", "Transfer-Encoding":
		default:
			headers[name] = strings.Join(values, ",")
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client broke off
	}
	if !strings.HasPrefix(r.RequestURI, "/") {
		http.Error(w, "not a path", http.StatusBadRequest)
		return
	}
	// A client that has enough breaks off. What S3 says to its request is told all the same.
	response, err := rawhttp.Do(context.WithoutCancel(r.Context()), r.Method, f.to+r.RequestURI, headers, body)
	if err != nil {
		http.Error(w, "the S3 server did not answer", http.StatusBadGateway)
		return
	}
	answered(response.Status)
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.Status)
	w.Write(response.Body)
}

// page serves the browser's page, its tasks, and takes its answers.
func (f *front) page(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/page.html":
		http.ServeFile(w, r, filepath.Join(f.here, "page.html"))
	case "/tasks.json":
		type pageTask struct {
			Method  string            `json:"method"`
			URL     string            `json:"url"`
			Headers map[string]string `json:"headers"`
			Body    []byte            `json:"body"` // base64
		}
		var tasks []pageTask
		f.mu.Lock()
		for _, t := range f.tasks {
			p := pageTask{Method: t.Method, URL: t.URL, Headers: t.Headers}
			if t.Method == "PUT" {
				p.Body = content("PUT", t.key.Key)
			}
			tasks = append(tasks, p)
		}
		f.mu.Unlock()
		json.NewEncoder(w).Encode(tasks)
	case "/answers":
		var answers []pageAnswer
		if err := json.NewDecoder(r.Body).Decode(&answers); err != nil {
			http.Error(w, "not answers", http.StatusBadRequest)
			return
		}
		f.answers <- answers
	default:
		http.NotFound(w, r) // a favicon, or a request that lost its query
	}
}

// forget begins a measurement.
func (f *front) forget() {
	f.mu.Lock()
	clear(f.targets)
	f.log = nil
	f.mu.Unlock()
}

// requests returns what came since forget, once all of it is answered.
func (f *front) requests() []request {
	f.pending.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// seen returns the target of the request that carried the signature of a URL.
func (f *front) seen(url string) (target string, sent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	target, sent = f.targets[signature.FindStringSubmatch(url)[1]]
	return target, sent
}
