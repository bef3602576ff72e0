package fleetsim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
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

// Main makes this process a simulator, until its standard input ends, where the
// variable CASEMENT_FLEETSIM of its environment has Options as JSON, as Spawn sets it;
// else it returns at once. A program that uses Spawn calls it first.
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

// simulate tells which hosts there are, then does what comes in, a line each: "usage",
// or "kill", "revive", "hold" or "log" and the name of a host, or "stops" with a host and a
// service. It answers with a line of JSON: the usage, how often, or a text that is empty
// where it was done.
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
	for lines := bufio.NewScanner(os.Stdin); err == nil && lines.Scan(); {
		verb, name, _ := strings.Cut(lines.Text(), " ")
		done := error(nil)
		switch verb {
		case "usage":
			err = out.Encode(Measure())
			continue
		case "stops":
			host, service, _ := strings.Cut(name, " ")
			err = out.Encode(f.Stops(host, service))
			continue
		case "kill":
			done = f.Kill(name)
		case "revive":
			done = f.Revive(context.Background(), name)
		case "hold":
			done = f.Hold(name)
		case "log":
			done = f.Log(name)
		default:
			done = fmt.Errorf("fleetsim: there is no verb %q", verb)
		}
		text := ""
		if done != nil {
			text = done.Error()
		}
		err = out.Encode(text)
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
	if _, err := io.WriteString(p.in, "usage\n"); err != nil {
		return u, err
	}
	return u, p.out.Decode(&u)
}

// Close ends the simulator.
func (p *Process) Close() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}

// Kill ends a host: see Fleet.Kill. Like all that follows it is for one goroutine at a
// time.
func (p *Process) Kill(name string) error { return p.tell("kill", name) }

// Revive starts one again: see Fleet.Revive.
func (p *Process) Revive(name string) error { return p.tell("revive", name) }

// Hold keeps one from answering: see Fleet.Hold.
func (p *Process) Hold(name string) error { return p.tell("hold", name) }

// Log writes an error into the log of one: see Fleet.Log.
func (p *Process) Log(name string) error { return p.tell("log", name) }

func (p *Process) tell(verb, name string) error {
	if _, err := io.WriteString(p.in, verb+" "+name+"\n"); err != nil {
		return err
	}
	var text string
	if err := p.out.Decode(&text); err != nil {
		return err
	}
	if text != "" {
		return errors.New(text)
	}
	return nil
}
