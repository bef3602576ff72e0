package console

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/wsman/winrs"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// The limits of shells in the page. See spec/console.md 1 (7), 2.3.
const (
	shellKept  = 32 << 10         // of the output, in octets
	shellAlone = 15 * time.Minute // how long one lives when nobody looks at it
	shellsEach = 5                // of one person
	shellsAll  = 50
	shellLine  = 8 << 10 // of one input
)

// shells are the remote shells that people have open in the page. They outlive the
// tab and end with the session.
type shells struct {
	mu   sync.Mutex
	list map[string]*openShell
}

// openShell is one. Its output is text: what would move a cursor is left out.
type openShell struct {
	id, server, user string
	changed          func()

	mu      sync.Mutex
	out     []byte
	cut     bool // the beginning of the output is gone
	partial []byte
	escape  int // within an escape sequence: 1 after ESC, 2 within its parameters, 3 within a text that BEL or ESC \ ends
	sent    int64
	got     int64
	ended   string
	opened  time.Time
	away    time.Time // since when the server is not heard; zero where it is
	seen    time.Time // when somebody last looked or wrote
	command *wsmanclient.Command
	stop    context.CancelFunc
}

// shellPrograms are what can be chosen, by what is shown.
var shellPrograms = []struct{ ID, Title, Command string }{
	{"default", "The server's shell", ""},
	{"cmd", "cmd", "cmd.exe /Q"},
	{"powershell", "PowerShell", "powershell.exe -NoLogo -NoProfile -Command -"},
	{"sh", "sh", posix},
}

// posix is the line that starts sh as a person has it: an interrupt ends the whole line
// that it runs, but not sh itself. There is no terminal, so it shows no prompt and edits
// no line; posixFirst then shows its errors, among its output, in their order.
const (
	posix = "PS1=; PS2=; export PS1 PS2; if (set +o emacs) 2>/dev/null; then exec sh -i +o emacs; else exec sh -i; fi 2>/dev/null"

	posixFirst = "exec 2>&1\n"
)

// Write implements io.Writer for what the command says.
func (s *openShell) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.got += int64(len(b))
	s.take(b)
	s.mu.Unlock()
	s.changed()
	return len(b), nil
}

// take adds text to the output: whole runes, without what a terminal would obey.
func (s *openShell) take(b []byte) {
	b = append(s.partial, b...)
	s.partial = nil
	for len(b) > 0 {
		if !utf8.FullRune(b) && len(b) < utf8.UTFMax {
			s.partial = append([]byte(nil), b...)
			break
		}
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		if s.skips(r) {
			continue
		}
		s.out = utf8.AppendRune(s.out, r)
	}
	if over := len(s.out) - shellKept; over > 0 {
		s.cut = true
		for over < len(s.out) && !utf8.RuneStart(s.out[over]) {
			over++
		}
		s.out = append(s.out[:0], s.out[over:]...)
	}
}

// skips tells whether a rune is of an escape sequence, or a control character other
// than a line's end or a tab.
func (s *openShell) skips(r rune) bool {
	switch s.escape {
	case 1:
		switch r {
		case '[':
			s.escape = 2
		case ']', 'P', 'X', '^', '_':
			s.escape = 3
		default:
			s.escape = 0
		}
		return true
	case 2:
		if r >= 0x40 && r <= 0x7e {
			s.escape = 0
		}
		return true
	case 3:
		if r == 0x07 || r == '\\' || r == 0x9c {
			s.escape = 0
		}
		return true
	}
	if r == 0x1b {
		s.escape = 1
		return true
	}
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || r == utf8.RuneError)
}

// heard is told when the server falls silent, and when it is heard again.
func (s *openShell) heard(again bool) {
	s.mu.Lock()
	s.away = time.Time{}
	if !again {
		s.away = time.Now()
	}
	s.mu.Unlock()
	s.changed()
}

// end says why it is over, once.
func (s *openShell) end(why string) {
	s.mu.Lock()
	if s.ended == "" {
		s.ended = why
	}
	s.mu.Unlock()
	s.stop()
	s.changed()
}

// openShellOn makes a shell on a server and starts its program.
func (c *Console) openShellOn(rq *request, e Entry, program string) (*openShell, error) {
	line := ""
	for _, p := range shellPrograms {
		if p.ID == program {
			line = p.Command
		}
	}
	// It ends with the session, not with the request.
	ctx, done := c.streams.add(context.WithoutCancel(rq.Context()), rq.who.Session)
	s := &openShell{id: newID(), server: e.Name, user: rq.who.User, opened: time.Now(), seen: time.Now(), stop: done}
	s.changed = func() { c.live.changed("shell:" + s.id) }
	conn, shell, err := c.startShell(ctx, e, s, line)
	if err != nil {
		done()
		return nil, err
	}
	if err := c.shells.add(s); err != nil {
		s.end("")
		closeShell(s, conn, shell)
		return nil, err
	}
	c.done.Go(func() {
		code, err := s.command.Wait(ctx)
		switch {
		case ctx.Err() != nil:
			s.end("It was ended.")
		case err != nil:
			s.end("It was lost: " + rq.problemOf(err).Error())
		default:
			s.end("It ended with exit code " + strconv.FormatUint(uint64(code), 10) + ".")
		}
		closeShell(s, conn, shell)
		s.mu.Lock()
		entry := auditlog.Entry{ID: newID(), User: s.user, Action: "shell-close", Targets: []string{s.server}, Result: auditlog.Done,
			Parameters: map[string]string{"sent": strconv.FormatInt(s.sent, 10), "received": strconv.FormatInt(s.got, 10)}, Words: s.ended}
		s.mu.Unlock()
		if err := c.audit.Append(entry); err != nil {
			c.log.Error("the audit log cannot be written", "error", err)
		}
	})
	return s, nil
}

// startShell connects and starts the program, "" for the server's own shell.
func (c *Console) startShell(ctx context.Context, e Entry, s *openShell, line string) (*casement.Connection, *wsmanclient.Shell, error) {
	done, err := c.asks.begin(s.user)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	ready, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	conn, err := c.pool.Connect(ready, e.Name)
	if err != nil {
		return nil, nil, err
	}
	shell, err := conn.Shell(ready, wsmanclient.ShellOptions{CodePage: 65001, IdleTimeout: shellAlone + 5*time.Minute})
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	if line == "" {
		line = "cmd.exe /Q"
		if e.Snapshot == nil || e.Snapshot.Facts == nil || !strings.Contains(e.Snapshot.Facts.OS, "Windows") {
			line = posix
		}
	}
	s.command, err = shell.Start(ready, wsmanclient.CommandOptions{Command: line, Stdout: s, Stderr: s, Contact: s.heard})
	if err == nil && line == posix {
		_, err = io.WriteString(s.command.Stdin, posixFirst)
	}
	if err != nil {
		closeShell(s, conn, shell)
		return nil, nil, err
	}
	return conn, shell, nil
}

// closeShell gives everything back to the server.
func closeShell(s *openShell, conn *casement.Connection, shell *wsmanclient.Shell) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if s.command != nil {
		_ = s.command.Close() //nolint:errcheck // it is over
	}
	_ = shell.Close(ctx) //nolint:errcheck // the server ends it by its idle time otherwise
	_ = conn.Close()     //nolint:errcheck // it is over
}

func (l *shells) add(s *openShell) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list == nil {
		l.list = map[string]*openShell{}
	}
	mine := 0
	for _, o := range l.list {
		if o.user == s.user && o.over() == "" {
			mine++
		}
	}
	if mine >= shellsEach || len(l.list) >= shellsAll {
		return &problem{Status: http.StatusTooManyRequests, Title: "Too many shells", Text: fmt.Sprintf("You may have %d shells, and all people together %d.", shellsEach, shellsAll), Next: "Close one."}
	}
	l.list[s.id] = s
	return nil
}

func (s *openShell) over() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// of finds a shell of somebody; nobody has those of others.
func (l *shells) of(id, user string) *openShell {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.list[id]; s != nil && s.user == user {
		return s
	}
	return nil
}

// on lists the shells that somebody has on a server, the newest first.
func (l *shells) on(server, user string) (list []*openShell) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range keys(l.list) {
		if s := l.list[id]; s.user == user && s.server == server && s.over() == "" {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *openShell) int { return b.opened.Compare(a.opened) })
	return list
}

// sweepShells ends shells that nobody looks at, and forgets those that ended.
func (c *Console) sweepShells(ctx context.Context) {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.shells.endAll()
			return
		case now := <-tick.C:
			c.shells.sweep(now, func(id string) bool { return c.live.followed("shell:" + id) })
		}
	}
}

// sweep looks at all; a tab that follows one looks at it, though nothing comes.
func (l *shells) sweep(now time.Time, followed func(id string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.list {
		looked := followed(id)
		s.mu.Lock()
		if looked {
			s.seen = now
		}
		alone, over := now.Sub(s.seen) > shellAlone, s.ended != ""
		s.mu.Unlock()
		switch {
		case over && alone:
			delete(l.list, id)
		case alone:
			go s.end("Nobody looked at it for 15 minutes.")
		}
	}
}

func (l *shells) endAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.list {
		go s.end("The console ended.")
	}
}

// input gives a line to the program, and shows it.
func (s *openShell) input(text string) error {
	s.mu.Lock()
	if s.ended != "" {
		s.mu.Unlock()
		return &problem{Status: http.StatusConflict, Title: "The shell has ended", Text: s.ended, Next: "Open another one."}
	}
	s.seen = time.Now()
	s.sent += int64(len(text)) + 1
	s.take([]byte("> " + strings.ReplaceAll(text, "\n", "\n> ") + "\n"))
	s.mu.Unlock()
	s.changed()
	_, err := s.command.Stdin.Write([]byte(text + "\n"))
	return err
}

// interrupt is Ctrl+C.
func (s *openShell) interrupt(ctx context.Context) error {
	s.mu.Lock()
	s.seen = time.Now()
	s.mu.Unlock()
	return s.command.Signal(ctx, winrs.SignalCtrlC)
}

// clear forgets the output.
func (s *openShell) clear() {
	s.mu.Lock()
	s.out, s.cut = nil, false
	s.mu.Unlock()
	s.changed()
}

// shellState is what the page shows of a shell.
type shellState struct {
	ID, Output, Ended string
	Cut               bool
	Kept              string
	Words             string // whether it is connected, or why not
}

func (s *openShell) state() shellState {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = time.Now()
	d := shellState{ID: s.id, Output: string(s.out), Ended: s.ended, Cut: s.cut, Words: "Connected",
		Kept: sizeText(uint64(len(s.out))) + " of 32 KiB kept"} // #nosec G115 -- a length
	switch {
	case s.ended != "":
		d.Words = s.ended
	case !s.away.IsZero():
		d.Words = s.server + " does not answer since " + s.away.UTC().Format(time.TimeOnly) + " UTC. Trying again for four minutes; what runs there goes on."
	}
	return d
}

// commandText is a command as the audit log keeps it: to 4 kB, or its SHA-256.
func (c *Console) commandText(text string) string {
	if c.settings.get().HashCommands {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
	}
	if len(text) > maxQueryText {
		text = strings.ToValidUTF8(text[:maxQueryText], "") + "…"
	}
	return text
}
