package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// reducePolicy keeps a NetworkPolicy and its rows after each step.
func reducePolicy(c, out object) object {
	if name, ok := c["name"]; ok {
		out["policy"], out["spec"] = name, c["spec"]
		out["rows"] = reduceRows(c["observed"])
	}
	if steps, ok := c["steps"].([]any); ok {
		var list []any
		for _, s := range steps {
			step := s.(object)
			list = append(list, object{"step": step["step"], "rows": reduceRows(step["observed"])})
		}
		out["steps"] = list
	}
	if states, ok := c["np"].(object); ok { // the case with the restart
		out["steps"] = []any{
			object{"step": "before the restart", "rows": reduceRows(states["before_restart"])},
			object{"step": "after the restart", "rows": reduceRows(states["45s_after_restart"])},
		}
	}
	return out
}

func reduceRows(observed any) object {
	o := observed.(object)
	all := func(key string, fields ...string) []any {
		list := []any{}
		for _, r := range o[key].([]any) {
			row := pick(r.(object), fields)
			for column, value := range row {
				if value == nil {
					delete(row, column)
				}
			}
			list = append(list, row)
		}
		return list
	}
	return object{
		"groups": all("port_groups", "name", "external_ids", "ports"),
		"sets":   all("address_sets", "name", "external_ids", "addresses"),
		"acls": all("acls", "name", "direction", "priority", "tier", "action", "match", "options", "log", "severity",
			"external_ids"),
	}
}

// reduceFinal keeps the objects that policies and SecurityGroups depend on, and the rows that they had become.
func reduceFinal(objects, database string) error {
	var lists map[string]object
	var raw map[string]json.RawMessage
	if err := read(objects, &raw); err != nil {
		return err
	}
	lists = map[string]object{}
	for key, text := range raw {
		var list object
		if json.Unmarshal(text, &list) == nil {
			lists[key] = list
		}
	}
	out := object{}
	for key, keep := range map[string][]string{
		"namespaces": nil, "nodes": {"status"}, "networkpolicies": {"spec"}, "pods": {"spec"}, "subnets": {"spec"},
		"security-groups": {"spec"},
	} {
		var kept []any
		for _, i := range lists[key]["items"].([]any) {
			item := i.(object)
			slim := object{"metadata": pick(item["metadata"].(object), []string{
				"name", "namespace", "labels", "annotations", "creationTimestamp",
			})}
			for _, field := range keep {
				slim[field] = slimField(key, item[field].(object))
			}
			kept = append(kept, slim)
		}
		out[key] = kept
	}
	rows, err := finalRows(database)
	if err != nil {
		return err
	}
	out["rows"] = rows
	return write("../upstream/testdata/final.json.gz", []any{out})
}

// slimField keeps of a pod and a node only what rows depend on.
func slimField(kind string, field object) object {
	switch kind {
	case "pods":
		return pick(field, []string{"containers", "hostNetwork", "nodeName"})
	case "nodes":
		return pick(field, []string{"addresses"})
	}
	return field
}

// finalRows returns the port groups of policies, SecurityGroups and nodes with the names of their ports and their ACLs,
// and all address sets of policies.
func finalRows(database string) (object, error) {
	tables := map[string][]object{}
	for _, table := range []string{"Port_Group", "ACL", "Address_Set", "Logical_Switch_Port"} {
		rows, err := query(database, table)
		if err != nil {
			return nil, err
		}
		tables[table] = rows
	}
	ports := map[string]any{}
	for _, p := range tables["Logical_Switch_Port"] {
		ports[p["_uuid"].(string)] = p["name"]
	}
	acls := map[string]object{}
	for _, a := range tables["ACL"] {
		acls[a["_uuid"].(string)] = pick(a, []string{"name", "direction", "priority", "tier", "action", "match", "options",
			"log", "severity", "external_ids"})
	}
	var groups, rules, sets []any
	for _, g := range tables["Port_Group"] {
		ids := g["external_ids"].(object)
		if ids["np"] == nil && ids["sg"] == nil && !strings.HasPrefix(g["name"].(string), "node.") {
			continue
		}
		names := []any{}
		for _, uuid := range g["ports"].([]any) {
			names = append(names, ports[uuid.(string)])
		}
		groups = append(groups, object{"name": g["name"], "external_ids": ids, "ports": names})
		for _, uuid := range g["acls"].([]any) {
			rules = append(rules, acls[uuid.(string)])
		}
	}
	for _, s := range tables["Address_Set"] {
		if s["external_ids"].(object)["np"] != nil {
			sets = append(sets, pick(s, []string{"name", "external_ids", "addresses"}))
		}
	}
	return object{"groups": groups, "acls": rules, "sets": sets}, nil
}

// listColumns are the columns that are lists even with one element.
var listColumns = map[string]bool{"ports": true, "acls": true, "addresses": true}

// query returns all rows of a table as plain values. An empty optional column is left out.
func query(database, table string) ([]object, error) {
	ask := fmt.Sprintf(`["OVN_Northbound",{"op":"select","table":%q,"where":[]}]`, table)
	text, err := exec.Command("ovsdb-tool", "query", database, ask).Output()
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", table, database, err)
	}
	var answer []struct{ Rows []object }
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", table, database, err)
	}
	for _, row := range answer[0].Rows {
		for column, value := range row {
			plain := plainValue(value)
			if list, ok := plain.([]any); ok && len(list) == 0 && !listColumns[column] {
				delete(row, column)
				continue
			}
			if _, ok := plain.([]any); !ok && listColumns[column] {
				plain = []any{plain}
			}
			row[column] = plain
		}
	}
	return answer[0].Rows, nil
}

// plainValue turns the notation of RFC 7047 for sets, maps and UUIDs into plain values.
func plainValue(value any) any {
	pair, ok := value.([]any)
	if !ok || len(pair) != 2 {
		return value
	}
	switch pair[0] {
	case "uuid":
		return pair[1]
	case "set":
		list := []any{}
		for _, v := range pair[1].([]any) {
			list = append(list, plainValue(v))
		}
		return list
	case "map":
		m := object{}
		for _, entry := range pair[1].([]any) {
			m[fmt.Sprint(entry.([]any)[0])] = entry.([]any)[1]
		}
		return m
	}
	return value
}
