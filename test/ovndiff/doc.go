// Package ovndiff compares portsec with the OVN on this machine: random columns and frames go through both, and any
// difference is a failure. Its tests need root only for the daemons of OVN and Open vSwitch; they carry the build tag
// integration.
package ovndiff
