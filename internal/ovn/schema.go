package ovn

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"

	"github.com/ovnguard/ovnguard/internal/persistent"
)

// parseSchema reads a schema as the server sends it. The library's decoder panics on some that are odd, such as a
// column without a type; here that is an error like any other.
func parseSchema(data []byte) (schema *ovsdb.DatabaseSchema, err error) {
	defer func() {
		if r := recover(); r != nil {
			schema, err = nil, fmt.Errorf("the schema cannot be read: %v", r)
		}
	}()
	schema = new(ovsdb.DatabaseSchema)
	if err := json.Unmarshal(data, schema); err != nil {
		return nil, fmt.Errorf("the schema cannot be read: %w", err)
	}
	return schema, nil
}

var errColumnType = errors.New("has another type than expected")

// fits reports whether a column of that type can be read into field, and whether the column holds one value at most.
func fits(field any, c *ovsdb.ColumnSchema) (single bool, err error) {
	have := c.Type
	var key, value string
	single = true
	if c.TypeObj != nil {
		if c.TypeObj.Key != nil {
			key = c.TypeObj.Key.Type
		}
		if c.TypeObj.Value != nil {
			value = c.TypeObj.Value.Type
		}
		single = c.TypeObj.Max() == 1
	} else {
		key = have
	}
	text := func(t string) bool { return t == ovsdb.TypeString || t == ovsdb.TypeUUID }
	var ok bool
	var want string
	switch field.(type) {
	case *string:
		ok, want = value == "" && text(key) && single, "a string or a UUID"
	case *[]string, *persistent.Set[string]:
		ok, want = value == "" && text(key), "a set of strings or UUIDs"
	case *map[string]string:
		ok, want = text(key) && text(value), "a map of strings"
	case *int, **int:
		ok, want = value == "" && key == ovsdb.TypeInteger && single, "a whole number"
	case *bool, **bool:
		ok, want = value == "" && key == ovsdb.TypeBoolean && single, "a truth value"
	}
	if !ok {
		return false, fmt.Errorf("%w: want %s, have %s", errColumnType, want, describe(key, value, single))
	}
	return single, nil
}

func describe(key, value string, single bool) string {
	switch {
	case value != "":
		return fmt.Sprintf("a map from %s to %s", key, value)
	case !single:
		return "a set of " + key
	}
	return key
}
