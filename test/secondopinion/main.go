// Secondopinion answers by np-guard's netpol-analyzer whether NetworkPolicies allow connections: cases in JSON from
// standard input, answers in JSON to standard output. It is a module and a program of its own, because the analyzer
// needs an older release of the API of cluster-wide policies than ovnguard.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/np-guard/netpol-analyzer/pkg/netpol/eval"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// question is a cluster, and connections in it: source, destination, protocol and port, as the analyzer has them.
type question struct {
	Namespaces  []*corev1.Namespace
	Pods        []*corev1.Pod
	Policies    []*networkingv1.NetworkPolicy
	Connections [][4]string
}

func main() {
	if err := answer(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "secondopinion:", err)
		os.Exit(1)
	}
}

// answer writes for each question a list: true or false for each connection, null where the analyzer has no answer.
func answer(in io.Reader, out io.Writer) error {
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		engine := eval.NewPolicyEngine()
		for _, o := range q.Namespaces {
			if err := engine.InsertObject(o); err != nil {
				return err
			}
		}
		for _, o := range q.Pods {
			if err := engine.InsertObject(o); err != nil {
				return err
			}
		}
		for _, o := range q.Policies {
			if err := engine.InsertObject(o); err != nil {
				return err
			}
		}
		allowed := make([]*bool, len(q.Connections))
		for n, c := range q.Connections {
			if ok, err := engine.CheckIfAllowed(c[0], c[1], c[2], c[3]); err == nil {
				allowed[n] = &ok
			}
		}
		if err := answers.Encode(allowed); err != nil {
			return err
		}
	}
}
