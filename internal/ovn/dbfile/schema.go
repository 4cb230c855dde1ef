package dbfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Unlimited is the Max of a column that holds any number of values.
const Unlimited = math.MaxInt

// Atom is the kind of one value, by its name in a schema.
type Atom string

// The kinds of RFC 7047, section 3.1. An empty Atom is that of no value: that of the value of a set's element.
const (
	Integer Atom = "integer"
	Real    Atom = "real"
	Boolean Atom = "boolean"
	String  Atom = "string"
	UUID    Atom = "uuid"
	// Unknown is the kind of a dump's columns, because the values there name their own kinds.
	Unknown Atom = "unknown"
)

// Column says what a column holds.
type Column struct {
	Name string
	// Key is the kind of its values, or of the keys of a map.
	Key Atom
	// Value is the kind of a map's values; empty where the column is no map.
	Value Atom
	// RefTable is the table whose rows the keys name; empty where they name none.
	RefTable string
	// Min and Max bound how many values it has. Min is 0 or 1.
	Min, Max int
	// Ephemeral columns are not written to the file: they hold their default.
	Ephemeral bool
}

// Table is a table with its rows.
type Table struct {
	Name    string
	Columns map[string]*Column
	// Rows are by UUID.
	Rows map[string]*Row

	// skipped tables are stepped over.
	skipped bool
}

type schema struct {
	name    string
	version string
	tables  map[string]*Table
}

// The JSON of a schema, RFC 7047 section 3.2, as far as it is needed.
type (
	schemaJSON struct {
		Name    string                `json:"name"`
		Version string                `json:"version"`
		Tables  map[string]*tableJSON `json:"tables"`
	}
	tableJSON struct {
		Columns map[string]*columnJSON `json:"columns"`
	}
	columnJSON struct {
		Type      json.RawMessage `json:"type"`
		Ephemeral bool            `json:"ephemeral"`
	}
	typeJSON struct {
		Key   json.RawMessage `json:"key"`
		Value json.RawMessage `json:"value"`
		Min   *int            `json:"min"`
		Max   json.RawMessage `json:"max"`
	}
	baseJSON struct {
		Type     Atom   `json:"type"`
		RefTable string `json:"refTable"`
	}
)

func parseSchema(text string) (*schema, error) {
	var raw schemaJSON
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("%w: schema: %w", ErrContent, err)
	}
	if raw.Name == "" || raw.Tables == nil {
		return nil, fmt.Errorf("%w: schema: it has no name or no tables", ErrContent)
	}
	s := &schema{name: raw.Name, version: raw.Version, tables: make(map[string]*Table, len(raw.Tables))}
	for name, t := range raw.Tables {
		if t == nil || t.Columns == nil {
			return nil, fmt.Errorf("%w: schema: table %q has no columns", ErrContent, name)
		}
		table := &Table{Name: name, Columns: make(map[string]*Column, len(t.Columns)), Rows: make(map[string]*Row)}
		for column, c := range t.Columns {
			if c == nil {
				return nil, fmt.Errorf("%w: schema: column %q of table %q has no type", ErrContent, column, name)
			}
			parsed, err := parseColumn(column, c)
			if err != nil {
				return nil, fmt.Errorf("%w: schema: column %q of table %q: %w", ErrContent, column, name, err)
			}
			table.Columns[column] = parsed
		}
		s.tables[name] = table
	}
	return s, nil
}

func parseColumn(name string, raw *columnJSON) (*Column, error) {
	c := &Column{Name: name, Ephemeral: raw.Ephemeral, Min: 1, Max: 1}
	if isString(raw.Type) {
		base, err := parseBase(raw.Type)
		c.Key = base.Type
		return c, err
	}
	var t typeJSON
	if err := json.Unmarshal(raw.Type, &t); err != nil {
		return nil, fmt.Errorf("type: %w", err)
	}
	key, err := parseBase(t.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	c.Key, c.RefTable = key.Type, key.RefTable
	if t.Value != nil {
		value, err := parseBase(t.Value)
		if err != nil {
			return nil, fmt.Errorf("value: %w", err)
		}
		c.Value = value.Type
	}
	if t.Min != nil {
		c.Min = *t.Min
	}
	switch {
	case t.Max == nil:
	case string(t.Max) == `"unlimited"`:
		c.Max = Unlimited
	default:
		if err := json.Unmarshal(t.Max, &c.Max); err != nil {
			return nil, fmt.Errorf("max: %w", err)
		}
	}
	if c.Min < 0 || c.Min > 1 || c.Max < 1 || c.Max < c.Min {
		return nil, fmt.Errorf("min %d and max %d: want min 0 or 1, and max of at least 1", c.Min, c.Max)
	}
	return c, nil
}

// parseBase reads a kind, which is a name or an object.
func parseBase(raw json.RawMessage) (baseJSON, error) {
	var b baseJSON
	var err error
	switch {
	case raw == nil:
		return b, errors.New("there is no type")
	case isString(raw):
		err = json.Unmarshal(raw, &b.Type)
	default:
		err = json.Unmarshal(raw, &b)
	}
	if err != nil {
		return b, err
	}
	switch b.Type {
	case Integer, Real, Boolean, String, UUID:
		return b, nil
	case Unknown:
	}
	return b, fmt.Errorf("type %q is none of OVSDB's", b.Type)
}

func isString(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }
