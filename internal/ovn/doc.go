// Package ovn is the one place that knows the OVN databases: typed rows, always consistent, in ordered events, with how
// fresh they are. docs/ovn.md says what it promises.
//
// It stands on libovsdb for the schema, the operations and the errors of OVSDB, and fences that library in: no other
// package imports it. The library's own connection and cache are not used. The connection panics where it gives up
// reconnecting, and on messages that it does not expect, in a goroutine that nobody can guard; the cache copies every
// row for each reader and drops events when a reader is slow. Here one goroutine reads the connection, and whatever a
// server sends can only ever end that connection with an error.
package ovn
