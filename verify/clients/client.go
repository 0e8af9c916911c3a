package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// client is a program that people use with a URL. A task that fails is an outcome and no error; an error says that
// the program could not be measured at all.
type client struct {
	name     string
	get, put func(context.Context, []task) error // nil where the program cannot, or is no other than one above
}

func (c *bench) clients() []client {
	curl := func(flags ...string) func(context.Context, []task) error {
		return each("curl", func(t task) []string {
			args := append([]string{"--disable", "--silent", "--fail", "--output", t.Out}, flags...)
			if t.Method == "PUT" {
				args = append(args, "--upload-file", t.Body)
			}
			return append(headerArgs(args, "--header", t), t.URL)
		})
	}
	// What --upload-file does to some URLs, --data-binary does not.
	curlData := each("curl", func(t task) []string {
		args := []string{"--disable", "--silent", "--fail", "--output", t.Out, "--path-as-is", "--request", "PUT", "--data-binary", "@" + t.Body}
		return append(headerArgs(args, "--header", t), t.URL)
	})
	wget := each("wget", func(t task) []string {
		args := []string{"--no-config", "--quiet", "--tries=1", "--output-document", t.Out}
		if t.Method == "PUT" {
			args = append(args, "--method=PUT", "--body-file", t.Body)
		}
		return append(headerArgs(args, "--header", t), t.URL)
	})
	aria2 := each("aria2c", func(t task) []string {
		return []string{"--no-conf", "--quiet", "--max-tries=1", "--dir", filepath.Dir(t.Out), "--out", filepath.Base(t.Out), t.URL}
	})
	script := func(interpreter, file string, args ...string) func(context.Context, []task) error {
		return func(ctx context.Context, tasks []task) error {
			input, err := json.Marshal(tasks)
			if err != nil {
				return err
			}
			return command(ctx, bytes.NewReader(input), interpreter, append([]string{filepath.Join(c.here, file)}, args...)...)
		}
	}
	requests := script(c.python, "fetch.py", "requests")
	urllib3 := script(c.python, "fetch.py", "urllib3")
	node := script("node", "fetch.mjs")
	return []client{
		{"curl", curl(), curl()},
		{"curl --path-as-is", curl("--path-as-is"), curl("--path-as-is")},
		{"curl --path-as-is --data-binary", nil, curlData},
		{"wget", wget, wget},
		{"aria2c", aria2, nil},
		{"Python requests", requests, requests},
		{"Python urllib3", urllib3, urllib3},
		{"Node fetch", node, node},
		{"Go net/http", netHTTP, netHTTP},
		{"Chromium fetch", c.chromiumFetch, c.chromiumFetch},
		{"Firefox fetch", c.firefoxFetch, c.firefoxFetch},
	}
}

// each runs a program once for each task.
func each(program string, args func(task) []string) func(context.Context, []task) error {
	return func(ctx context.Context, tasks []task) error {
		for _, t := range tasks {
			err := command(ctx, nil, program, args(t)...)
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	}
}

func headerArgs(args []string, flag string, t task) []string {
	for name, value := range t.Headers {
		args = append(args, flag, name+": "+value)
	}
	return args
}

func netHTTP(ctx context.Context, tasks []task) error {
	for _, t := range tasks {
		body := []byte(nil)
		if t.Body != "" {
			var err error
			if body, err = os.ReadFile(t.Body); err != nil {
				return err
			}
		}
		request, err := http.NewRequestWithContext(ctx, t.Method, t.URL, bytes.NewReader(body))
		if err != nil {
			continue // an outcome: not sent
		}
		for name, value := range t.Headers {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil && response.StatusCode == http.StatusOK {
			err = os.WriteFile(t.Out, got, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// chromiumFetch and firefoxFetch open the front's page in a headless browser with a profile of its own.
func (c *bench) chromiumFetch(ctx context.Context, tasks []task) error {
	return c.browser(ctx, tasks, func(profile string) (string, []string) {
		return c.chromium, []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
			"--remote-debugging-port=0", // or it would print the page and go, without waiting for its fetches
			"--user-data-dir=" + profile}
	})
}

func (c *bench) firefoxFetch(ctx context.Context, tasks []task) error {
	return c.browser(ctx, tasks, func(profile string) (string, []string) {
		return c.firefox, []string{"--headless", "--no-remote", "--profile", profile}
	})
}

// quiet has Firefox ask nobody but the page's server.
const quiet = `user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 0);
user_pref("services.settings.server", "http://127.0.0.1:9/");
user_pref("toolkit.telemetry.enabled", false);
`

// browser runs a browser until the page has reported.
func (c *bench) browser(ctx context.Context, tasks []task, program func(profile string) (string, []string)) error {
	c.front.mu.Lock()
	c.front.tasks = tasks
	c.front.mu.Unlock()
	profile, err := os.MkdirTemp(c.scratch, "profile")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(quiet), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	name, args := program(profile)
	cmd := exec.CommandContext(ctx, name, append(args, c.front.url+"/page.html")...)
	cmd.Env = append(os.Environ(), "HOME="+profile, "TMPDIR="+profile) // nothing is left behind
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	defer func() { cancel(); <-ended }()

	var answers []pageAnswer
	select {
	case answers = <-c.front.answers:
	case <-ended:
		return fmt.Errorf("%s ended before it reported: %s", name, redacted(stderr.String()))
	case <-ctx.Done():
		return ctx.Err()
	}
	if len(answers) != len(tasks) {
		return fmt.Errorf("the page reported %d answers to %d tasks", len(answers), len(tasks))
	}
	for i, a := range answers {
		if a.Status == http.StatusOK {
			if err := os.WriteFile(tasks[i].Out, a.Body, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// versions names the programs, so that a difference can be put down to a new one.
func (c *bench) versions(ctx context.Context) string {
	var lines []string
	for _, args := range [][]string{
		{"curl", "--version"}, {"wget", "--version"}, {"aria2c", "--version"},
		{c.python, "-c", "import requests, urllib3; print('requests', requests.__version__ + ', urllib3', urllib3.__version__)"},
		{"node", "-p", "'Node ' + process.versions.node + ', undici ' + process.versions.undici"}, {"go", "version"}, {c.chromium, "--version"}, {c.firefox, "--version"},
	} {
		out, _ := exec.CommandContext(ctx, args[0], args[1:]...).Output()
		line, _, _ := strings.Cut(string(out), "\n")
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "; ")
}
