package fleetsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Usage is what a process has used so far; what the system does not tell is 0.
type Usage struct {
	CPU        time.Duration // user and system time
	RSS        int64         // resident memory now, in octets
	Heap       uint64        // octets of live objects, after a collection
	Goroutines int
}

// environment has the options of a process that is to be a simulator.
const environment = "CASEMENT_FLEETSIM"

// Main makes this process a simulator, until its parent goes, where Spawn
// started it; else it returns at once. A program that uses Spawn calls it first.
func Main() {
	text := os.Getenv(environment)
	if text == "" {
		return
	}
	if err := simulate(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// simulate tells which hosts there are, then the usage for each octet that comes
// in.
func simulate(text string) error {
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	f, err := Start(context.Background(), o)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	err = out.Encode(greeting{f.Hosts, f.User, f.Password, f.Thumbprint}) // #nosec G117 -- for the parent process, of a fleet that ends with it
	one := make([]byte, 1)
	for err == nil {
		if _, end := os.Stdin.Read(one); end != nil {
			break
		}
		err = out.Encode(Measure())
	}
	return errors.Join(err, f.Close())
}

// greeting is what a simulator tells first.
type greeting struct {
	Hosts                      []Host
	User, Password, Thumbprint string
}

// Process is a fleet in a process of its own, so that its processor time and
// memory are told apart from those of who uses it.
type Process struct {
	Hosts                      []Host
	User, Password, Thumbprint string

	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// Spawn starts this program again as a simulator, which ends with Close, with ctx
// or with this process. Options.Logger does not go along.
func Spawn(ctx context.Context, o Options) (*Process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.CommandContext(ctx, exe)} // #nosec G204 -- this very program
	p.cmd.Env = append(os.Environ(), environment+"="+string(text))
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(out)
	var g greeting
	if err := p.out.Decode(&g); err != nil {
		return nil, errors.Join(fmt.Errorf("fleetsim: the simulator said nothing: %w", err), p.Close())
	}
	p.Hosts, p.User, p.Password, p.Thumbprint = g.Hosts, g.User, g.Password, g.Thumbprint
	return p, nil
}

// Usage asks the simulator what it has used. It is for one goroutine at a time.
func (p *Process) Usage() (u Usage, err error) {
	if _, err := p.in.Write([]byte("?")); err != nil {
		return u, err
	}
	return u, p.out.Decode(&u)
}

// Close ends the simulator.
func (p *Process) Close() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}
