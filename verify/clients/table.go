package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A table stands between two such lines of the document.
const (
	clientsTable = "measured by make clients"
	toolsTable   = "tools, measured by make clients"
)

func begins(table string) string { return "<!-- " + table + ": begin -->\n" }
func ends(table string) string   { return "<!-- " + table + ": end -->\n" }

// table shows the outcomes: a summary of each client, then every key that does not just work.
func (c *bench) table() string {
	type column struct{ client, method string }
	var columns []column
	count := map[column]map[string]int{}
	rows := map[string]map[column]string{}
	for _, o := range c.outcomes {
		col := column{o.client, o.method}
		if count[col] == nil {
			columns = append(columns, col)
			count[col] = map[string]int{}
		}
		count[col][o.what]++
		if o.what != "ok" {
			if rows[o.key] == nil {
				rows[o.key] = map[column]string{}
			}
			rows[o.key][col] = o.what
		}
	}
	var b strings.Builder
	b.WriteString("| client | method | keys | work, URL unchanged | otherwise |\n|---|---|---|---|---|\n")
	for _, col := range columns {
		total, others := 0, []string{}
		for _, what := range []string{"ok", "rewritten, works", "rewritten, refused", "not sent", "sent, failed", "no file", "not in the answer", "a path outside the folder", "followed"} {
			n := count[col][what]
			total += n
			if n > 0 && what != "ok" {
				others = append(others, fmt.Sprintf("%d %s", n, what))
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s |\n", col.client, col.method, total, count[col]["ok"], strings.Join(others, "; "))
	}
	b.WriteString("\n| key | what | clients |\n|---|---|---|\n")
	names := []string{}
	for _, k := range c.keys {
		names = append(names, k.Name)
	}
	for _, name := range append(names, metalink) {
		byWhat := map[string][]string{}
		var order []string
		for _, col := range columns {
			what, ok := rows[name][col]
			if !ok {
				continue
			}
			if byWhat[what] == nil {
				order = append(order, what)
			}
			byWhat[what] = append(byWhat[what], col.client+" "+col.method)
		}
		for _, what := range order {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, what, strings.Join(byWhat[what], ", "))
		}
	}
	return b.String()
}

// split cuts the document around a table.
func (c *bench) split(name string) (before, table, after []byte, err error) {
	doc, err := os.ReadFile(c.doc)
	if err != nil {
		return nil, nil, nil, err
	}
	before, rest, begin := bytes.Cut(doc, []byte(begins(name)))
	table, after, end := bytes.Cut(rest, []byte(ends(name)))
	if !begin || !end {
		return nil, nil, nil, errors.New("the lines around the table are not there: " + name)
	}
	return before, table, after, nil
}

func (c *bench) compareTable() error {
	_, table, _, err := c.split(clientsTable)
	if err == nil && string(table) != c.table() {
		err = errors.New("the table is not what was measured; -update writes it")
	}
	return err
}

func (c *bench) writeTable(name, table string) error {
	before, _, after, err := c.split(name)
	if err != nil {
		return err
	}
	return os.WriteFile(c.doc, []byte(string(before)+begins(name)+table+ends(name)+string(after)), 0o644)
}
