package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// HeldError says which process holds a state directory.
type HeldError struct {
	Dir Dir
	// Holder is the zero Record if the holder has not written its name yet.
	Holder process.Record
}

func (e *HeldError) Error() string {
	return fmt.Sprintf(
		"state directory %s: a lab is already running there as PID %d: stop it with `ovnguard-lab down --state-dir "+
			"%s`, or give another directory with --state-dir",
		e.Dir,
		e.Holder.PID,
		e.Dir,
	)
}

// Lock is the lock of a state directory. The kernel releases it when the process ends, however it ends.
type Lock struct{ file *os.File }

// Acquire locks the directory for this process. If another process has it, the error is a *HeldError.
func (d Dir) Acquire() (*Lock, error) {
	file, err := os.OpenFile(d.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	// Go opens files close-on-exec, so no child keeps the lock alive.
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, wholeFile()); err != nil {
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			err = &HeldError{Dir: d, Holder: readHolder(file)}
		} else {
			err = fmt.Errorf("lock %s: %w", d.lockFile(), err)
		}
		return nil, errors.Join(err, file.Close())
	}
	if err := writeHolder(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Lock{file: file}, nil
}

// Release unlocks the directory. The lock file stays: removing it would let two processes lock two files of the same
// name.
func (l *Lock) Release() error {
	if err := errors.Join(l.file.Truncate(0), l.file.Close()); err != nil {
		return fmt.Errorf("release the state directory: %w", err)
	}
	return nil
}

// Holder returns the process that holds the directory, and false if there is none.
func (d Dir) Holder() (process.Record, bool, error) {
	file, err := os.Open(d.lockFile())
	if errors.Is(err, fs.ErrNotExist) {
		return process.Record{}, false, nil
	}
	if err != nil {
		return process.Record{}, false, fmt.Errorf("state directory: %w", err)
	}
	defer func() { _ = file.Close() }() // it is only read
	lock := wholeFile()
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, lock); err != nil {
		return process.Record{}, false, fmt.Errorf("lock %s: %w", d.lockFile(), err)
	}
	if lock.Type == unix.F_UNLCK {
		return process.Record{}, false, nil
	}
	return readHolder(file), true, nil
}

// wholeFile returns an exclusive lock of the file. Locks of the open file description are used because, unlike flock,
// they let one ask for the holder without taking the lock for a moment, which would refuse a lab that starts just then.
func wholeFile() *unix.Flock_t {
	return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
}

// readHolder reads the record of the lock's holder. Between taking the lock and writing the record, the holder is not
// known.
func readHolder(file *os.File) process.Record {
	var holder process.Record
	if err := json.NewDecoder(file).Decode(&holder); err != nil {
		return process.Record{}
	}
	return holder
}

func writeHolder(file *os.File) error {
	self, err := process.Self("up")
	if err != nil {
		return err
	}
	data, err := json.Marshal(self)
	if err != nil {
		return fmt.Errorf("encode holder: %w", err)
	}
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("write holder: %w", err)
	}
	if _, err := file.WriteAt(append(data, '\n'), 0); err != nil {
		return fmt.Errorf("write holder: %w", err)
	}
	return nil
}

func (d Dir) lockFile() string { return d.Join("lock") }
