package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/casementtest"
)

func init() { parts["ports"] = playPorts }

// openPorts are the sockets of this process that somebody could come to: those of TCP
// that listen, and all of UDP, as proc_net(5) has them.
func openPorts() (list []string, err error) {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for _, f := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil {
			if inode, ok := strings.CutPrefix(to, "socket:["); ok {
				own[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile("/proc/thread-self/net/" + table)
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			// sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
			f := strings.Fields(line)
			if len(f) < 10 || !own[f[9]] || strings.HasPrefix(table, "tcp") && f[3] != "0A" {
				continue
			}
			_, port, _ := strings.Cut(f[1], ":")
			n, err := strconv.ParseUint(port, 16, 16)
			if err != nil {
				return nil, err
			}
			list = append(list, fmt.Sprint(table, " ", n))
		}
	}
	return list, nil
}

// playPorts holds a pool, uses it as another process would, and does a work on a host,
// and says which ports were open meanwhile.
func playPorts() (err error) {
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	seen, err := openPorts()
	if err != nil {
		return err
	}
	if want := fmt.Sprint("tcp ", control.Addr().(*net.TCPAddr).Port); !slices.Equal(seen, []string{want}) {
		return fmt.Errorf("a port that is open was not seen: %q, want %s", seen, want)
	}
	if err := control.Close(); err != nil {
		return err
	}
	look := func(when string) {
		list, lerr := openPorts()
		err = errors.Join(err, lerr)
		for _, l := range list {
			fmt.Printf("port %s: %s\n", when, l)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := Open(ctx, optionsFromEnvironment())
	if err != nil {
		return err
	}
	defer p.Close()
	look("open")
	guest, err := Open(ctx, optionsFromEnvironment())
	if err != nil {
		return err
	}
	defer guest.Close()
	if !p.Holder() || guest.Holder() {
		return errors.New("the folder has no holder and guest")
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- p.Serve(serving, ServeOptions{Schedule: true}) }()
	defer func() {
		stop()
		err = errors.Join(err, <-served)
	}()
	if err := guest.SetCredential(ctx, Credential{Name: "all", User: os.Getenv("CASEMENT_POOL_USER"), For: []string{ForAll}}, []byte(os.Getenv("CASEMENT_POOL_PASSWORD"))); err != nil {
		return err
	}
	if err := guest.Add(ctx, []Server{{Name: "srv01", Address: "127.0.0.1", Endpoint: os.Getenv("CASEMENT_POOL_HOST"), Transport: WinRM}}); err != nil {
		return err
	}
	a, err := NewAction(KindRun, RunParameters{Command: "echo here"})
	if err != nil {
		return err
	}
	w, err := guest.Start(ctx, a, []string{"srv01"}, "test")
	if err != nil {
		return err
	}
	w, results, err := guest.Wait(ctx, w.ID, func(Work, []Result) bool { look("at work"); return false })
	if err != nil {
		return err
	}
	look("done")
	fmt.Printf("work %s %s\n", w.Tally.State(), results[0].Words)
	return err
}

// The store of a folder opens no port: not while the pool is open, not while another
// process uses it, nor while a work is done. What it opens is the socket in its folder.
func TestStoreOpensNoPort(t *testing.T) {
	s := casementtest.New(t, casementtest.Options{})
	dir := testFolder(t)
	c := startPart(t, "ports", "CASEMENT_POOL_DIR="+dir, "CASEMENT_POOL_HOST="+s.HTTP, "CASEMENT_POOL_USER="+s.User, "CASEMENT_POOL_PASSWORD="+s.Password)
	var ports []string
	done := ""
	for line := range c.lines {
		if rest, ok := strings.CutPrefix(line, "port "); ok {
			ports = append(ports, rest)
		}
		if rest, ok := strings.CutPrefix(line, "work "); ok {
			done = rest
		}
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the process: %v", err)
	}
	if len(ports) > 0 {
		t.Errorf("ports were open: %q", ports)
	}
	if !strings.HasPrefix(done, "done ") {
		t.Errorf("the work: %q", done)
	}
	info, err := os.Stat(filepath.Join(dir, "bus"))
	if err != nil || !info.IsDir() {
		t.Errorf("the store is not in the folder: %v", err)
	}
}
