// Package docs holds the documents that the program prints.
package docs

import _ "embed"

// audit has a section for each rule.
//
//go:embed audit.md
var audit string

// admission has a row for each check.
//
//go:embed admission.md
var admission string
