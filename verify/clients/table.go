package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The table stands between these lines of the document.
const (
	tableBegins = "<!-- measured by make clients: begin -->\n"
	tableEnds   = "<!-- measured by make clients: end -->\n"
)

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

// split cuts the document around the table.
func (c *bench) split() (before, table, after []byte, err error) {
	doc, err := os.ReadFile(c.doc)
	if err != nil {
		return nil, nil, nil, err
	}
	before, rest, begins := bytes.Cut(doc, []byte(tableBegins))
	table, after, ends := bytes.Cut(rest, []byte(tableEnds))
	if !begins || !ends {
		return nil, nil, nil, errors.New("the lines around the table are not there")
	}
	return before, table, after, nil
}

func (c *bench) compareTable() error {
	_, table, _, err := c.split()
	if err == nil && string(table) != c.table() {
		err = errors.New("the table is not what was measured; -update writes it")
	}
	return err
}

func (c *bench) writeTable() error {
	before, _, after, err := c.split()
	if err != nil {
		return err
	}
	return os.WriteFile(c.doc, []byte(string(before)+tableBegins+c.table()+tableEnds+string(after)), 0o644)
}
