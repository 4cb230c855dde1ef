package admission

import (
	"fmt"
)

// Private is a part of a sentence that is not for everybody: what belongs to another namespace, or to the cluster.
// Whoever asked reads Public in its place; the API server's audit log has Whole.
type Private struct{ Public, Whole string }

// Sentence is what is said about a request: to whoever made it, and to the API server's audit log.
type Sentence struct{ Public, Whole string }

// Say formats a sentence. An argument of type Private is written by its Public part for whoever asked, and by its Whole
// part for the audit log; an argument of type Refusal or Sentence is written likewise.
func Say(format string, args ...any) Sentence {
	public, whole := make([]any, len(args)), make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case Private:
			public[i], whole[i] = arg.Public, arg.Whole
		case Sentence:
			public[i], whole[i] = arg.Public, arg.Whole
		case Refusal:
			public[i], whole[i] = arg.String(), arg.Note()
		default:
			public[i], whole[i] = arg, arg
		}
	}
	return Sentence{fmt.Sprintf(format, public...), fmt.Sprintf(format, whole...)}
}
