package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/rows"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// writing is the argument by which the program writes the files instead of measuring.
const writing = "write"

// write writes the database, or from a server of it the files that `ovnguard export` would write.
func write(ctx context.Context, args []string) error {
	if len(args) < 3 {
		return errors.New("want what to write, where, and how many ports")
	}
	ports, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	db := kubeovndb.Database{Ports: ports}
	if args[0] == "database" {
		return db.Write(filepath.Join(args[1], "nb.db"), ovsdbserver.NorthboundSchema)
	}
	dir := filepath.Join(args[1], "export")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := dump(ctx, args[3], filepath.Join(dir, "nb.json")); err != nil {
		return err
	}
	return cluster(db, dir)
}

// dump writes the database of a server as export does.
func dump(ctx context.Context, endpoint, file string) error {
	mirror, err := ovn.Open(ovn.Config{
		Endpoints: endpoint,
		Database:  ovn.Northbound,
		Tables:    rows.Northbound(),
		Log:       logr.Discard(),
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go mirror.Run(ctx)
	if err := mirror.WaitSynced(ctx); err != nil {
		return err
	}
	return written(file, func(w *bufio.Writer) error { return rows.Dump(w, mirror.Snapshot()) })
}

func written(file string, contents func(w *bufio.Writer) error) error {
	f, err := os.Create(filepath.Clean(file))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(contents(w), w.Flush(), f.Close())
}

// cluster writes the objects whose ports the database has: pods of Deployments with their IP resources, namespaces,
// subnets, ReplicaSets; and of the other kinds that there are none.
func cluster(db kubeovndb.Database, dir string) error {
	objects := make(map[string][]string)
	seen := make(map[string]bool)
	add := func(kind, name, format string, args ...any) {
		if !seen[kind+"/"+name] {
			seen[kind+"/"+name] = true
			objects[kind] = append(objects[kind], fmt.Sprintf(format, args...))
		}
	}
	for n := range db.Ports {
		p := db.Port(n)
		namespace, pod, _ := strings.Cut(p.Pod, "/")
		set := pod[:strings.LastIndex(pod, "-")]
		app := set[:strings.LastIndex(set, "-")]
		setID := namespace + "-" + set
		add(
			"Namespace",
			namespace,
			`{"metadata":{"name":%q,"uid":"ns-%s","labels":{"kubernetes.io/metadata.name":%q}}}`,
			namespace,
			namespace,
			namespace,
		)
		add(
			"Subnet",
			p.Switch,
			`{"metadata":{"name":%q,"uid":"s-%s"},"spec":{"vpc":"ovn-cluster","provider":"ovn"}}`,
			p.Switch,
			p.Switch,
		)
		add(
			"Deployment",
			namespace+"/"+app,
			`{"metadata":{"name":%q,"namespace":%q,"uid":"d-%s-%s"},"spec":{"template":{"metadata":{"labels":{"app":%q}}}}}`,
			app,
			namespace,
			namespace,
			app,
			app,
		)
		add(
			"ReplicaSet",
			setID,
			`{"metadata":{"name":%q,"namespace":%q,"uid":"r-%s","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":%q,"uid":"d-%s-%s","controller":true}]},"spec":{"replicas":1,"template":{"metadata":{"labels":{"app":%q}}}}}`,
			set,
			namespace,
			setID,
			app,
			namespace,
			app,
			app,
		)
		ips := strings.Join(p.IPs[:], ",")
		security := ""
		if p.Strict {
			security = `"ovn.kubernetes.io/port_security":"true",`
		}
		add(
			"Pod",
			p.Pod,
			`{"metadata":{"name":%q,"namespace":%q,"uid":%q,"labels":{"app":%q,"pod-template-hash":%q},"annotations":{%s"ovn.kubernetes.io/allocated":"true","ovn.kubernetes.io/ip_address":%q,"ovn.kubernetes.io/mac_address":%q,"ovn.kubernetes.io/logical_switch":%q},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":%q,"uid":"r-%s","controller":true}]},"spec":{"restartPolicy":"Always"},"status":{"phase":"Running"}}`,
			pod,
			namespace,
			p.UUID,
			app,
			set,
			security,
			ips,
			p.MAC,
			p.Switch,
			set,
			setID,
		)
		add(
			"IP",
			p.Name,
			`{"metadata":{"name":%q},"spec":{"macAddress":%q,"subnet":%q,"namespace":%q,"podName":%q,"v4IpAddress":%q,"v6IpAddress":%q}}`,
			p.Name,
			p.MAC,
			p.Switch,
			namespace,
			pod,
			p.IPs[0],
			p.IPs[1],
		)
	}
	for _, kind := range kube.KeptKinds() {
		file := filepath.Join(dir, strings.ToLower(kind.GroupKind().String())+".json")
		err := written(file, func(w *bufio.Writer) error {
			_, err := fmt.Fprintf(
				w, "{\"kind\":%q,\"apiVersion\":%q,\"items\":[\n%s]}\n",
				kind.Kind+"List", kind.GroupVersion().String(), strings.Join(objects[kind.Kind], ",\n"),
			)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
