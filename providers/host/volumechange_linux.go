package host

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The values of Win32_VolumeChangeEvent.EventType that occur here.
const (
	deviceArrival uint16 = 2
	deviceRemoval uint16 = 3
)

// watchVolumes calls f with the mount points of local file systems that come and go. Those on a network are no local
// drives.
func (p *Provider) watchVolumes(ctx context.Context, f func(mountPoint string, kind uint16) error) error {
	if p.system.mountsChange == nil {
		return errNoSystem
	}
	have, err := p.localMounts()
	if err != nil {
		return err
	}
	changed, failed := make(chan struct{}, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() { failed <- p.system.mountsChange(ctx, changed) }()
	over := false
	defer func() {
		cancel()
		if !over {
			<-failed
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			over = true
			return err
		case <-changed:
		}
		now, err := p.localMounts()
		if err != nil {
			return err
		}
		for point := range have {
			if !now[point] {
				if err := f(point, deviceRemoval); err != nil {
					return err
				}
			}
		}
		for point := range now {
			if !have[point] {
				if err := f(point, deviceArrival); err != nil {
					return err
				}
			}
		}
		have = now
	}
}

// localMounts are the mount points of the logical disks that are not on a network.
func (p *Provider) localMounts() (map[string]bool, error) {
	list, err := p.mounts()
	if err != nil {
		return nil, err
	}
	points := map[string]bool{}
	for _, m := range list {
		if p.driveType(m) != driveNetwork {
			points[m.Mountpoint] = true
		}
	}
	return points, nil
}

// settle is how long mounts are let change before they are read again: they come in groups.
const settle = 50 * time.Millisecond

// mountsChange sends when the mounts of this process have changed, until ctx ends. See proc(5), mountinfo.
func mountsChange(ctx context.Context, changed chan<- struct{}) error {
	// not by way of package os, whose poller would take the news away
	mounts, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/proc/self/mountinfo", Err: err}
	}
	defer unix.Close(mounts)
	woken, wake, err := os.Pipe()
	if err != nil {
		return err
	}
	defer woken.Close()
	defer context.AfterFunc(ctx, func() { wake.Close() })()
	defer wake.Close()
	fds := []unix.PollFd{{Fd: int32(mounts), Events: unix.POLLPRI}, {Fd: int32(woken.Fd())}}
	for ctx.Err() == nil {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for changes of the mounts: %w", err)
		}
		if fds[0].Revents&(unix.POLLPRI|unix.POLLERR) == 0 {
			continue
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return nil
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return nil
}
