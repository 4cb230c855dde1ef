// Reduce makes observed.json.gz and cases.json of this directory out of full recordings of Kube-OVN's controller. It
// keeps everything that the replay compares: the requests, and the resulting rows, annotations and warnings. It drops
// times, UUIDs and the columns that are always empty. It also makes ../upstream/testdata/final.json.gz out of the
// cluster's objects and the Northbound database at the end: what policies and SecurityGroups had become.
//
//	go run . FULL-OBSERVED.json FULL-CASES.json OBJECTS.json NORTHBOUND.db
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type object = map[string]any

// kept are the fields of a case and of a step that are copied unchanged.
var kept = []string{
	"id", "title", "phase", "version", "namespace", "pod", "node", "labels", "owner", "host_network", "lsp_name",
	"annotations_given", "annotations_after", "completed", "step", "annotations", "patched_annotations",
	"patched_labels",
	"ovn_nbctl", "address_sets", "result", "summary",
}

// columns are the columns of a port that are kept, with their new names.
var columns = []string{"name", "type", "addresses", "port_security", "external_ids", "options", "enabled", "tag",
	"tag_request", "dhcpv4_options", "dhcpv6_options"}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: go run . FULL-OBSERVED.json FULL-CASES.json OBJECTS.json NORTHBOUND.db")
		os.Exit(2)
	}
	err := reduce(os.Args[1], os.Args[2])
	if err == nil {
		err = reduceFinal(os.Args[3], os.Args[4])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func reduce(observed, cases string) error {
	var full struct{ Cases []object }
	if err := read(observed, &full); err != nil {
		return err
	}
	var lines []any
	for _, c := range full.Cases {
		lines = append(lines, reduceCase(c))
	}
	if err := write("observed.json.gz", lines); err != nil {
		return err
	}
	var list []any
	if err := read(cases, &list); err != nil {
		return err
	}
	return write("cases.json", list)
}

func reduceCase(c object) object {
	out := pick(c, kept)
	version, _ := out["version"].(string)
	version, _, _ = strings.Cut(version, "-") // master has its commit behind it
	out["version"] = version
	if c["phase"] == "np" || c["id"] == "DR91" {
		return reducePolicy(c, pick(out, []string{"id", "title", "phase", "version", "namespace", "annotations_given"}))
	}
	if rows, ok := c["lsps"].([]any); ok {
		out["ports"] = reducePorts(rows)
	}
	if steps, ok := c["steps"].([]any); ok {
		var list []any
		for _, s := range steps {
			step := pick(s.(object), kept)
			if rows, ok := s.(object)["lsps"].([]any); ok {
				step["ports"] = reducePorts(rows)
			} else {
				rows := []any{}
				if row, ok := s.(object)["lsp"].(object); ok {
					rows = append(rows, row)
				}
				step["ports"] = reducePorts(rows)
			}
			list = append(list, step)
		}
		out["steps"] = list
	}
	if states, ok := c["foreign"].([]any); ok {
		out["foreign"] = reduceForeign(states)
	}
	if warnings := warningsOf(c); len(warnings) > 0 {
		out["warnings"] = warnings
	}
	return out
}

// reduceForeign keeps which rows of others existed at each time.
func reduceForeign(states []any) []any {
	var list []any
	for _, s := range states {
		state := s.(object)["state"].(object)
		ports := object{}
		for name, row := range state["lsps"].(object) {
			ports[name] = row != nil
		}
		list = append(list, object{"when": s.(object)["when"], "ports": ports, "groups": state["pg"],
			"sets": state["asets"], "acls": len(state["acls"].([]any))})
	}
	return list
}

func reducePorts(rows []any) []any {
	list := []any{}
	for _, r := range rows {
		row := pick(r.(object), columns)
		for _, column := range []string{"dhcpv4_options", "dhcpv6_options"} {
			if row[column] != nil {
				row[column] = "set"
			}
		}
		for key, value := range row {
			if value == nil || value == "" {
				delete(row, key)
			}
		}
		row["switch"] = r.(object)["_logical_switch"]
		row["groups"] = r.(object)["_port_groups"]
		list = append(list, row)
	}
	return list
}

// warningsOf returns the distinct warnings as "reason: message".
func warningsOf(c object) []string {
	var list []string
	seen := map[string]bool{}
	events, _ := c["k8s_events"].([]any)
	for _, e := range events {
		event := e.(object)
		text := fmt.Sprintf("%v: %v", event["reason"], event["message"])
		if event["type"] == "Warning" && !seen[text] {
			seen[text] = true
			list = append(list, text)
		}
	}
	return list
}

func pick(from object, fields []string) object {
	out := object{}
	for _, f := range fields {
		if value, ok := from[f]; ok {
			out[f] = value
		}
	}
	return out
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// write writes a list with one element a line, compressed if the name says so.
func write(path string, list []any) error {
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, e := range list {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.Write(line)
		if i < len(list)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	text := b.Bytes()
	if strings.HasSuffix(path, ".gz") {
		var z bytes.Buffer
		w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		text = z.Bytes()
	}
	return os.WriteFile(path, text, 0o644)
}
