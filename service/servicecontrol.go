package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/providers/host"
	"github.com/casementhq/casement/shell"
)

// serviceControl starts and stops services of the machine as the Unix user whom a caller
// is mapped to, by systemctl: this process is not root, and the service manager refuses
// it. What that user may is for root and its polkit to say.
type serviceControl struct {
	starter shell.Starter
	people  *people
}

// controlPatience is how long systemctl may take, as long as a job of systemd.
const controlPatience = 100 * time.Second

func (s *serviceControl) do(ctx context.Context, caller cim.Caller, do host.ServiceDeed, name string) error {
	id, err := s.people.unixIdentity(caller)
	if err != nil || int64(id.UID) == int64(os.Geteuid()) {
		return errors.Join(host.ErrServiceDenied, err)
	}
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	job, err := s.starter.Start(ctx, shell.Spec{SkipShell: true, Command: "systemctl", Args: []string{string(do), "--no-ask-password", "--", name + ".service"}, Identity: id})
	if err != nil {
		return errors.Join(host.ErrServiceDenied, fmt.Errorf("start systemctl as %s: %w", id.UnixUser, err))
	}
	defer job.Close()
	job.Stdin().Close()
	said := make(chan string, 1)
	go func() {
		var b bytes.Buffer
		_, _ = io.CopyN(&b, job.Stderr(), 4<<10)
		_, _ = io.Copy(io.Discard, job.Stderr())
		said <- strings.TrimSpace(b.String())
	}()
	go io.Copy(io.Discard, job.Stdout()) //nolint:errcheck // nobody reads it
	code, err := job.Wait(ctx)
	if err != nil {
		return errors.Join(host.ErrServiceTimeout, err)
	}
	return controlError(code, <-said)
}

// controlError is what an end of systemctl means; the codes are those of systemctl(1).
func controlError(code uint32, said string) error {
	why := fmt.Errorf("systemctl ended with %d: %s", code, said)
	switch {
	case code == 0:
		return nil
	case code == 4, strings.Contains(said, "Access denied"), strings.Contains(said, "authentication required"):
		return errors.Join(host.ErrServiceDenied, why)
	case code == 5, strings.Contains(said, "not found"):
		return errors.Join(host.ErrNoService, why)
	case strings.Contains(said, "is masked"):
		return errors.Join(host.ErrServiceDisabled, why)
	default:
		return why
	}
}
