package acl

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/ovnguard/ovnguard/internal/ovnmatch"
)

// ofGroup matches the names of the address sets that ovn-northd makes of port groups, where an expression has them.
var ofGroup = regexp.MustCompile(`\$([A-Za-z_.][A-Za-z_.0-9]*)_ip([46])\b`)

// nameGroupSets adds the address sets of port groups that some expression names: ovn-northd puts the addresses of all
// ports of a group into one for each family, in the Southbound database alone. One of the Northbound database that has
// the same name counts instead.
func (db *Database) nameGroupSets(sets map[string]*ovnmatch.Set) {
	for i := range db.ACLs {
		for _, found := range ofGroup.FindAllStringSubmatch(db.ACLs[i].Match, -1) {
			name, group := strings.TrimPrefix(found[0], "$"), found[1]
			ports, known := db.Groups[group]
			if _, made := db.Sets[name]; !known || made || sets[name] != nil {
				continue
			}
			if set, err := ovnmatch.NewSet(db.addressesOf(ports, found[2] == "4")); err == nil {
				sets[name] = set
			}
		}
	}
}

// addressesOf returns the addresses of a family that ports have in their columns.
func (db *Database) addressesOf(ports []string, v4 bool) (out []string) {
	for _, port := range ports {
		for _, element := range db.Addresses[port] {
			for word := range strings.FieldsSeq(element) {
				if a, err := netip.ParseAddr(word); err == nil && a.Is4() == v4 {
					out = append(out, word)
				}
			}
		}
	}
	return out
}
