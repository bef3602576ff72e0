package pool

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// RemoteManagementParameters are those of KindRemoteManagement. Code is the exit code
// of Configure-SMRemoting where it is known, the words are whether WinRM answers this
// computer afterwards, the output what the tool printed.
type RemoteManagementParameters struct {
	On bool `json:"on"`
}

// Configure-SMRemoting turns what Server Manager needs on and off: it is a part of
// Windows Server, and a name that casement answers to. See spec/winrm.md 9.
var actRemoteManagement = act{
	limit: 3 * time.Minute, changes: true,
	check: func(raw json.RawMessage) error { _, err := parse[RemoteManagementParameters](raw); return err },
	do: func(ctx context.Context, j *job) (Result, error) {
		p, err := parse[RemoteManagementParameters](j.parameters)
		if err != nil {
			return Result{}, err
		}
		return j.switchManagement(ctx, p.On)
	},
}

// How long the switch may take to show, and how often it is looked at.
const (
	settleLimit = 30 * time.Second
	settleLook  = 250 * time.Millisecond
)

// switchManagement runs the tool, over WinRM where that answers and else over DCOM,
// which the switch does not concern, and looks what became of it.
func (j *job) switchManagement(ctx context.Context, on bool) (Result, error) {
	r, err := j.runSwitch(ctx, on)
	switch {
	case err == nil && r.State != Failed, !on && remoteDisabled(err), !on && r.Code == hexOf(uint32(wsman.CodeRemoteAccessDisabled)):
		// What switches WinRM off loses its own answer; who looks afterwards knows more.
	default:
		return r, err
	}
	exited := r.State == Done
	if !exited {
		r.Code = ""
	}
	answers, why := j.settled(ctx, on)
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	r.State = Done
	switch {
	case answers && on:
		r.Words = "remote management is enabled: WinRM answers"
	case !answers && !on:
		r.Words = "remote management is disabled: " + sentence(why)
	case !answers:
		r.State, r.Words = Failed, "Configure-SMRemoting was run, and WinRM does not answer this computer: "+sentence(why)
	case exited:
		r.Words = "Configure-SMRemoting was run, and WinRM still answers this computer"
	default:
		r.State, r.Words = OutcomeUnknown, "Configure-SMRemoting was started, and WinRM still answers this computer"
	}
	return r, nil
}

// runSwitch runs the tool. Its result is Done with exit code 0, Failed with another, or
// OutcomeUnknown where it was started and nobody told how it ended.
func (j *job) runSwitch(ctx context.Context, on bool) (Result, error) {
	line := "Configure-SMRemoting.exe -disable"
	if on {
		line = "Configure-SMRemoting.exe -enable"
	}
	if j.server.Transport != DCOM {
		c, err := j.proven(ctx)
		if err == nil {
			return command(ctx, j, c, line, "")
		}
		// A password that is wrong over WinRM is wrong over DCOM, and a try more.
		if j.server.Transport == WinRM || !remoteDisabled(err) && !lost(err) && !silent(err) {
			return Result{}, err
		}
		r, derr := j.createProcess(ctx, line)
		if derr != nil && !j.sent {
			return r, fmt.Errorf("WinRM: %s; DCOM: %w", sentence(err), derr)
		}
		return r, derr
	}
	return j.createProcess(ctx, line)
}

func remoteDisabled(err error) bool {
	code, _ := codeOf(err)
	return code == uint32(wsman.CodeRemoteAccessDisabled)
}

// settled waits until WinRM answers or refuses, as is wanted, over a connection of its
// own each time: one that is open already may go on. err is why it does not answer.
func (j *job) settled(ctx context.Context, wanted bool) (answers bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for {
		err := j.asksWinRM(ctx)
		if answers := err == nil; answers == wanted || ctx.Err() != nil {
			return answers, err
		}
		select {
		case <-ctx.Done():
			return err == nil, err
		case <-time.After(settleLook):
		}
	}
}

// asksWinRM asks for Identify, signed in.
func (j *job) asksWinRM(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	c, err := casement.Dial(ctx, j.link.endpoint(), j.link.options())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // the answer is there
	_, err = c.Identify(ctx, false)
	return err
}

// createProcess starts a line by Win32_Process.Create over DCOM and waits until the
// process is gone. How it ended nobody tells there.
func (j *job) createProcess(ctx context.Context, line string) (Result, error) {
	c, err := j.link.overDCOM(ctx)
	if err != nil {
		return Result{}, err
	}
	s, err := c.Session(ctx, "")
	if err != nil {
		return Result{}, err
	}
	defer s.Close() //nolint:errcheck // the answer is there
	j.sent = true
	made, err := s.Invoke(ctx, cim.ObjectPath{Class: "Win32_Process"}, "Create", cim.Arguments{{Name: "CommandLine", Value: cim.Str(line)}}, cim.OperationOptions{})
	if err != nil {
		return Result{}, err
	}
	if r := returned(made.ReturnValue, createWords); r.State != Done {
		return r, nil
	}
	if id, err := outOf(made, "ProcessId").As(cim.Uint32); err == nil {
		awaitGone(ctx, s, id.String())
	}
	return Result{State: OutcomeUnknown}, nil
}

// awaitGone waits, bounded, until a process is not there any more.
func awaitGone(ctx context.Context, s cim.Session, id string) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := s.Get(ctx, instanceOf("Win32_Process", "Handle", id), cim.GetOptions{}); err != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(settleLook):
		}
	}
}

// createWords are what Win32_Process.Create returns.
func createWords(n uint64) string {
	words := map[uint64]string{0: "Success", 2: "Access Denied", 3: "Insufficient Privilege", 8: "Unknown Failure", 9: "Path Not Found", 21: "Invalid Parameter"}
	if w := words[n]; w != "" {
		return w
	}
	return fmt.Sprintf("ReturnValue %d", n)
}
