package host

import (
	"errors"
	"os"
	"strconv"
	"syscall"
)

// renice gives every thread of a process a nice value: on Linux each has its own.
func renice(pid, nice int) error {
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		err = syscall.Setpriority(syscall.PRIO_PROCESS, id, nice)
		if err != nil && (id == pid || !errors.Is(err, syscall.ESRCH)) { // other threads may end meanwhile
			return err
		}
	}
	return nil
}
