package feed

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// database is one of OVN's that is followed.
type database struct {
	// name is "northbound" or "southbound".
	name   string
	mirror *ovn.Mirror
	// plaintext means that an endpoint of it is used without TLS across a network.
	plaintext bool
}

// openDatabases returns the Northbound database, and the Southbound one where it has endpoints. It does not connect
// yet. Certificates that cannot be used, half written for example, are an error of the connection: the webhook needs
// none of them.
func openDatabases(o Options, log logr.Logger) ([]database, error) {
	var databases []database
	for _, d := range []struct {
		name, flag, endpoints string
		database              ovn.Database
		tables                []ovn.Table
	}{{"northbound", "nb", o.Northbound, ovn.Northbound, rows.Northbound()}, {
		"southbound", "sb", o.Southbound,
		ovn.Southbound, rows.Southbound(),
	}} {
		if d.endpoints == "" {
			continue
		}
		log := log.WithName(d.name)
		mirror, err := ovn.Open(
			ovn.Config{
				Endpoints: d.endpoints,
				Database:  d.database,
				Tables:    d.tables,
				TLS:       o.TLS,
				Patient:   true,
				Log:       log,
			},
		)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", d.flag, err)
		}
		plain := ovn.PlaintextEndpoints(d.endpoints)
		if len(plain) > 0 {
			log.Info(
				"the database is reached without TLS: whoever is on the path, or reaches it, can switch off port "+
					"security; use ssl:",
				"endpoints",
				strings.Join(plain, ","),
			)
		}
		databases = append(databases, database{d.name, mirror, len(plain) > 0})
	}
	return databases, nil
}

// synced returns nil while the database is followed at this moment, as it must be for whoever writes to it.
func (d database) synced() error {
	if s := d.mirror.State(); !s.Synced() {
		return fmt.Errorf("the %s database is not followed: %s", d.name, s.Phase)
	}
	return nil
}

// current returns nil while the database is followed, or was until a moment ago.
func (d database) current(now time.Time) error {
	s := d.mirror.State()
	switch {
	case s.Synced():
		return nil
	case s.Revision == 0 && s.Err != nil:
		return fmt.Errorf("the %s database was not read yet: %w", d.name, s.Err)
	case s.Revision == 0:
		return fmt.Errorf("the %s database was not read yet", d.name)
	case now.Sub(s.Since) <= staleAfter:
		return nil
	case s.Err != nil:
		return fmt.Errorf(
			"the %s database is not followed since %s: %w",
			d.name,
			s.Since.UTC().Format(time.RFC3339),
			s.Err,
		)
	}
	return fmt.Errorf("the %s database is not followed since %s", d.name, s.Since.UTC().Format(time.RFC3339))
}
