package config

import (
	"net/url"
	"strings"
)

// origins reads a list of web pages' origins, as browsers write them.
//
// https://datatracker.ietf.org/doc/html/rfc6454#section-6.2
func (l *loader) origins(variable string) []string {
	text := l.getenv(variable)
	if text == "" {
		return nil
	}
	var list []string
	for origin := range strings.SplitSeq(text, ",") {
		origin = strings.TrimSpace(origin)
		u, err := url.Parse(origin)
		switch {
		case origin == "*", origin == "https://*", origin == "http://*":
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+u.Host || origin != strings.ToLower(origin):
			l.problem(variable, `must be "*" or a list of origins with commas, each as a browser writes it, such as "https://app.example.com": in small letters, without a path or a slash at the end`)
			return nil
		}
		list = append(list, origin)
	}
	return list
}
