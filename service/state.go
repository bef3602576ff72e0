package service

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/internal/answerfile"
	"github.com/casementhq/casement/internal/fileowner"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// stateFormat is the version of the state folder that this program writes. An
// older one always loads.
const stateFormat = 1

// ErrNoState is returned for a folder that holds no state yet.
var ErrNoState = errors.New("no Casement state")

// State is an open state folder: the hive, the accounts, the certificates.
//
//	format               the version of the folder, a number
//	hive.reg             the HKLM hive
//	Registry.pol         machine policy, optional
//	unattend.xml         answer file, optional; read when the folder is made
//	accounts.json        local users and groups, mode 0600
//	krb5.keytab          keys of the machine account, optional, mode 0600
//	certificates/*.pem   certificates of this machine with their keys, mode 0600
//	authorities.pem      the authorities of client certificates, optional
//	lockouts.json        who is locked out from where, mode 0600
//	certmapping.json     digests by which mapped passwords are known, mode 0600
//	local.sock           where local sessions enter while a service runs
type State struct {
	Dir          string
	Hive         *registry.Hive
	Accounts     *accounts.Store
	Certificates *Certificates
	Authorities  *Authorities
	Logger       *slog.Logger

	now  func() time.Time
	warn bool // of unwise settings; a service does, a tool has its own words
	mu   sync.Mutex
	live *settings.Snapshot

	keytab keytabFile
}

// StateOptions say how a state folder is opened.
type StateOptions struct {
	// Service takes the hive for life; a second service is refused.
	Service bool
	// Create makes a folder that is not there, or is empty. Default: ErrNoState.
	Create bool
	// SetUp makes a new folder what it shall be, before the answer file is heeded.
	// It is not called for a folder that is there already. Default: nothing.
	SetUp func(*State) error
	// AnswerFile is the answer file of an unattended installation. It is read for a
	// new folder alone, and checked before anything is made. Default: unattend.xml
	// in the folder, where there is one.
	AnswerFile string
	// Now is the clock for certificates. Default: time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// OpenState opens a state folder.
func OpenState(dir string, o StateOptions) (_ *State, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &State{Dir: dir, Logger: o.Logger, now: o.Now, warn: o.Service}
	if s.now == nil {
		s.now = time.Now
	}
	fresh, err := s.prepare(o)
	if err != nil {
		return nil, err
	}
	var answers *answerfile.Answers
	if fresh {
		if answers, err = s.readAnswers(o.AnswerFile); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.Hive, err = registry.Open(filepath.Join(dir, "hive.reg"), registry.Options{Service: o.Service, Logger: o.Logger}); err != nil {
		if errors.Is(err, registry.ErrLocked) {
			return nil, fmt.Errorf("another service runs on the state in %s: stop it first, or name another folder with --state (%w)", dir, err)
		}
		return nil, fmt.Errorf("open the state in %s: %w", dir, err)
	}
	if s.Accounts, err = openAccounts(dir, o); err != nil {
		return nil, fmt.Errorf("open the accounts in %s: %w", dir, err)
	}
	if s.Certificates, err = OpenCertificates(filepath.Join(dir, "certificates")); err != nil {
		return nil, err
	}
	s.Authorities = OpenAuthorities(filepath.Join(dir, "authorities.pem"))
	if fresh {
		return s, s.setUp(o, answers)
	}
	if o.AnswerFile != "" {
		s.Logger.Info("the answer file is not read: it counts when a state folder is made, and this one is there already", "file", o.AnswerFile)
	}
	return s, nil
}

// setUp makes a new folder whole.
func (s *State) setUp(o StateOptions, answers *answerfile.Answers) error {
	if o.SetUp != nil {
		if err := o.SetUp(s); err != nil {
			return err
		}
	}
	if err := s.answer(answers); err != nil {
		return err
	}
	return s.writeFormat() // the last thing, so that a folder with it is whole
}

// formatName is the file that holds the version of the folder.
const formatName = "format"

// prepare checks the version of the folder. One that is not there yet is fresh
// and is made where that is asked.
func (s *State) prepare(o StateOptions) (fresh bool, err error) {
	b, err := os.ReadFile(filepath.Join(s.Dir, formatName))
	if err == nil {
		return false, checkFormat(s.Dir, string(b))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("open the state in %s: %w", s.Dir, err)
	}
	if !o.Create {
		return false, fmt.Errorf("%w in %s: 'casement up' or 'winrm quickconfig' makes one, --state names another folder", ErrNoState, s.Dir)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return false, fmt.Errorf("make the state folder: %w", err)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return false, fmt.Errorf("make the state folder: %w", err)
	}
	for _, e := range entries {
		if !ours(e.Name()) {
			return false, fmt.Errorf("make the state folder: %s is not empty and holds %s, which is not Casement's", s.Dir, e.Name())
		}
	}
	return true, nil
}

// writeFormat puts the version of the folder in place in one step.
func (s *State) writeFormat() error {
	f, err := os.CreateTemp(s.Dir, formatName+"-")
	if err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(stateFormat) + "\n")
	err = errors.Join(err, fileowner.GiveLike(f, s.Dir), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.Dir, formatName))
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("make the state folder: %w", err), os.Remove(f.Name()))
	}
	return err
}

// ours tells what a start that was cut short, or a pool, may have left in a new folder.
func ours(name string) bool {
	return strings.HasPrefix(name, "hive.reg") || strings.HasPrefix(name, "accounts") || strings.HasPrefix(name, keytabName) || strings.HasPrefix(name, formatName+"-") ||
		name == "certificates" || name == "pool" || name == "authorities.pem" || name == socketName || strings.HasPrefix(name, "Registry.pol") || name == answersName
}

func checkFormat(dir, text string) error {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 {
		return fmt.Errorf("open the state in %s: the file format holds %q, want a number", dir, text)
	}
	if n > stateFormat {
		return fmt.Errorf("open the state in %s: it has format %d and this program knows up to %d; use a newer casement", dir, n, stateFormat)
	}
	return nil
}

func openAccounts(dir string, o StateOptions) (*accounts.Store, error) {
	ao := accounts.Options{Hash: ntlm.NTHash, Resolve: resolveDomainName, Logger: o.Logger}
	store, err := accounts.Open(dir, ao)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || !o.Create {
		return store, err
	}
	return accounts.Create(dir, machineName(), ao)
}

// machineName is the NetBIOS form of the host's name: its first label, in
// capitals, at most 15 characters.
func machineName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "CASEMENT"
	}
	label, _, _ := strings.Cut(host, ".")
	label = strings.ToUpper(label)
	if len(label) > 15 {
		label = label[:15]
	}
	return label
}

// Close gives the folder back.
func (s *State) Close() error {
	if s.Hive == nil {
		return nil
	}
	return s.Hive.Close()
}

// Snapshot is the configuration as it stands now. It costs nothing while the
// hive does not change.
func (s *State) Snapshot() *settings.Snapshot {
	tree := s.Hive.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil && s.live.Reader == settings.Reader(tree) {
		return s.live
	}
	var known []string
	if s.live != nil {
		known = s.live.WinRM.Warnings()
	}
	s.live = settings.LoadSnapshot(tree)
	for _, text := range s.live.WinRM.Warnings() {
		if s.warn && !slices.Contains(known, text) {
			s.Logger.Warn("a setting is unwise", "warning", text)
		}
	}
	for _, p := range s.live.Problems {
		s.Logger.Warn("a setting cannot be used, its default holds", "setting", p.Setting, "key", p.Key, "error", p.Err)
	}
	return s.live
}
