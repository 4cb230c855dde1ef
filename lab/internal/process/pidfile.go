package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const pidSuffix = ".pid"

// Record is the content of a child's pid file.
type Record struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Started is the kernel's start time of the process in clock ticks since
	// boot (field 22 of /proc/PID/stat). With the pid it is unique.
	Started uint64 `json:"started"`
	// Health is copied from the Spec.
	Health string `json:"health,omitempty"`
}

// Alive reports whether that very process still runs. A zombie does not.
func (r Record) Alive() bool {
	started, state, err := procStat(r.PID)
	return err == nil && started == r.Started && state != 'Z' && state != 'X'
}

// Self returns a record of the calling process.
func Self(name string) (Record, error) {
	started, _, err := procStat(os.Getpid())
	if err != nil {
		return Record{}, fmt.Errorf("own start time: %w", err)
	}
	return Record{Name: name, PID: os.Getpid(), Started: started}, nil
}

// List reads the pid files in dir, by name. A directory that does not exist
// has none. An unreadable pid file is an error that names it.
func List(dir string) ([]Record, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list pid files: %w", err)
	}
	var records []Record
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), pidSuffix) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its process was just stopped
		}
		if err != nil {
			return nil, fmt.Errorf("read pid file: %w", err)
		}
		var record Record
		if err := json.Unmarshal(data, &record); err != nil || record.PID <= 1 {
			return nil, fmt.Errorf(
				"pid file %s is damaged: remove it after checking that nothing it named still runs",
				path,
			)
		}
		records = append(records, record)
	}
	return records, nil
}

// Sweep kills every running process that a pid file in dir names, waits until all are gone, removes the pid files and
// returns the records of the killed processes. A pid that now belongs to another process is left alone.
func Sweep(dir string) ([]Record, error) {
	records, err := List(dir)
	if err != nil {
		return nil, err
	}
	var killed []Record
	for _, record := range records {
		if record.Alive() {
			if err := syscall.Kill(record.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return killed, fmt.Errorf("kill leftover %s (pid %d): %w", record.Name, record.PID, err)
			}
			killed = append(killed, record)
		}
	}
	deadline := time.Now().Add(defaultStopTimeout)
	for _, record := range records {
		for record.Alive() {
			if time.Now().After(deadline) {
				return killed, fmt.Errorf("leftover %s (pid %d) does not end after SIGKILL", record.Name, record.PID)
			}
			time.Sleep(5 * time.Millisecond)
		}
		if err := os.Remove(pidPath(dir, record.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return killed, fmt.Errorf("remove pid file: %w", err)
		}
	}
	return killed, nil
}

// record writes the pid file of a child.
func (g *Group) record(spec Spec, pid int) error {
	if g.options.PIDDir == "" {
		return nil
	}
	started, _, err := procStat(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone and reaped already: the exit is reported elsewhere
	}
	if err != nil {
		return fmt.Errorf("start time of pid %d: %w", pid, err)
	}
	data, err := json.Marshal(Record{Name: spec.Name, PID: pid, Started: started, Health: spec.Health})
	if err != nil {
		return fmt.Errorf("encode pid file: %w", err)
	}
	// Renamed into place, so that a reader never sees half a file.
	path := pidPath(g.options.PIDDir, spec.Name)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write pid file: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write pid file: %w", err)
	}
	return nil
}

func (g *Group) erase(spec Spec) error {
	if g.options.PIDDir == "" {
		return nil
	}
	if err := os.Remove(pidPath(g.options.PIDDir, spec.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove pid file: %w", err)
	}
	return nil
}

func pidPath(dir, name string) string { return filepath.Join(dir, name+pidSuffix) }

// procStat reads start time and state from /proc/PID/stat (proc(5)).
func procStat(pid int) (started uint64, state byte, err error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	// The program's name, field 2, is in brackets and may itself contain brackets and spaces; the fields after the last
	// bracket are regular.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %d fields after the name, expected at least 20", pid, len(fields))
	}
	started, err = strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	return started, fields[0][0], nil
}
