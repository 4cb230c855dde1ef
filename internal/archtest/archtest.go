// Package archtest holds the rules of the architecture as tests: which package may depend on which, and why.
package archtest
