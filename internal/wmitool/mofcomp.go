package wmitool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
)

// Exit codes of mofcomp. See the page "mofcomp" of the WMI documentation and
// spec/wmi.md 2.9.
const (
	exitStored = 0
	exitFailed = 1 // no connection, or an object could not be stored
	exitSwitch = 2 // a wrong switch
	exitSyntax = 3 // a mistake in the text
)

// Target is a machine that a tool works on; the zero value is this one.
type Target struct {
	Host, User, Password, Authority string
}

// Connector opens the sessions of the tools.
type Connector interface {
	Session(ctx context.Context, t Target, namespace string) (cim.Session, error)
}

// MOFCompiler runs mofcomp command lines.
type MOFCompiler struct {
	Connector Connector
	// Autorecover notes a file of this machine, by its absolute path, that is
	// to be compiled again when the repository is rebuilt.
	Autorecover func(path string) error
	// Password asks for the password of -U without -P; nil cannot ask.
	Password func(ctx context.Context, user string) (string, error)
	Out, Err io.Writer
}

// mofLine is one parsed command line of mofcomp.
type mofLine struct {
	file          string
	target        Target
	namespace     string
	class         string // -class:
	instance      string // -instance:
	check         bool
	autorecover   bool
	locale        string // -AMENDMENT:
	neutral       string // -MOF:
	localized     string // -MFL:
	passwordGiven bool
	stored        bool // something was, when it failed
}

var (
	classFlags    = map[string]mof.Flags{"": 0, "createonly": mof.CreateOnly, "forceupdate": mof.ForceUpdate, "safeupdate": mof.SafeUpdate, "updateonly": mof.UpdateOnly}
	instanceFlags = map[string]mof.Flags{"": 0, "createonly": mof.CreateOnly, "updateonly": mof.UpdateOnly}
)

// parseMOFLine reads switches, which begin with - or / in any case, and the
// one file.
func parseMOFLine(args []string) (*mofLine, error) {
	l := &mofLine{}
	for _, a := range args {
		// A path begins with a slash too; its first part is no switch.
		if a[:min(1, len(a))] != "-" && (a[:min(1, len(a))] != "/" || !isMOFSwitch(a)) {
			if l.file != "" {
				return nil, fmt.Errorf("%q: only one file can be compiled", a)
			}
			l.file = a
			continue
		}
		if err := l.set(a); err != nil {
			return nil, err
		}
	}
	if l.file == "" {
		return nil, errors.New("the name of a MOF file is missing")
	}
	if (l.locale != "" || l.neutral != "" || l.localized != "") && (l.locale == "" || l.neutral == "" || l.localized == "") {
		return nil, errors.New("-AMENDMENT, -MOF and -MFL belong together")
	}
	return l, nil
}

func isMOFSwitch(a string) bool {
	name, _, _ := strings.Cut(strings.ToLower(a[1:]), ":")
	switch name {
	case "check", "autorecover", "n", "class", "instance", "b", "wmi", "p", "u", "a", "mof", "mfl", "amendment", "er", "l", "?":
		return true
	}
	return false
}

func (l *mofLine) set(a string) error {
	name, value, hasValue := strings.Cut(a[1:], ":")
	lower := strings.ToLower(name)
	switch lower {
	case "check", "autorecover":
		if hasValue {
			return fmt.Errorf("%s takes no value", a)
		}
		l.check = l.check || lower == "check"
		l.autorecover = l.autorecover || lower == "autorecover"
		return nil
	case "b", "wmi", "er":
		return fmt.Errorf("%s: the binary form of MOF is that of Windows drivers, and not supported", a)
	case "l":
		return fmt.Errorf("%s: name the locale in the text, by #pragma amendment, or as a namespace by -N:", a)
	}
	if !hasValue || value == "" && lower != "p" {
		if !isMOFSwitch(a) {
			return fmt.Errorf("%s is no switch of mofcomp", a)
		}
		return fmt.Errorf("%s needs a value, as in -%s:VALUE", a, name)
	}
	switch lower {
	case "n":
		return l.setNamespace(value)
	case "class":
		l.class = strings.ToLower(value)
		if _, ok := classFlags[l.class]; !ok {
			return fmt.Errorf("%s: want createonly, forceupdate, safeupdate or updateonly", a)
		}
	case "instance":
		l.instance = strings.ToLower(value)
		if _, ok := instanceFlags[l.instance]; !ok {
			return fmt.Errorf("%s: want createonly or updateonly", a)
		}
	case "p":
		l.target.Password, l.passwordGiven = value, true
	case "u":
		l.target.User = value
	case "a":
		l.target.Authority = value
	case "mof":
		l.neutral = value
	case "mfl":
		l.localized = value
	case "amendment":
		if _, ok := mof.ParseLocale(value); !ok {
			return fmt.Errorf("%s: want a locale such as MS_409", a)
		}
		l.locale = value
	default:
		return fmt.Errorf("%s is no switch of mofcomp", a)
	}
	return nil
}

// setNamespace takes a namespace of this machine, or \\HOST\NAMESPACE.
func (l *mofLine) setNamespace(value string) error {
	value = strings.ReplaceAll(value, "/", `\`)
	rest, remote := strings.CutPrefix(value, `\\`)
	if !remote {
		l.namespace = value
		return nil
	}
	host, namespace, ok := strings.Cut(rest, `\`)
	if !ok || host == "" || namespace == "" {
		return fmt.Errorf(`-N:%s: want \\HOST\NAMESPACE`, value)
	}
	l.namespace = namespace
	if host != "." {
		l.target.Host = host
	}
	return nil
}

// Run runs one command line without the program's name.
func (m *MOFCompiler) Run(ctx context.Context, args []string) int {
	l, err := parseMOFLine(args)
	if err != nil {
		fmt.Fprintf(m.Err, "mofcomp: %v; 'mofcomp -?' shows the switches\n", err)
		return exitSwitch
	}
	fmt.Fprintf(m.Out, "Parsing MOF file: %s\n", l.file)
	text, f, included, err := readMOF(l.file)
	if err != nil {
		return m.failed(err, exitSyntax, false)
	}
	fmt.Fprintln(m.Out, "MOF file has been successfully parsed")
	switch {
	case l.check:
		return exitStored
	case l.locale != "":
		err = l.split(f)
	default:
		err = m.store(ctx, l, text, f, included)
	}
	if err != nil {
		return m.failed(err, exitFailed, l.stored)
	}
	fmt.Fprintln(m.Out, "Done!")
	return exitStored
}

// failed says what went wrong with the text, or with an object of it, and whether
// something was stored before, and gives the exit code for it.
func (m *MOFCompiler) failed(err error, code int, stored bool) int {
	var at *mof.Error
	if !errors.As(err, &at) {
		fmt.Fprintf(m.Err, "mofcomp: %v\n", err)
		return exitFailed
	}
	kind, rest := "error", "Nothing was stored."
	if code == exitSyntax {
		kind = "error SYNTAX"
	}
	if stored {
		rest = "The objects in front of this one are stored."
	}
	fmt.Fprintf(m.Err, "%s (%d:%d): %s 0x%08X %s: %s\n", at.File, at.Line, at.Column, kind, uint32(at.Code), at.Code.Name(), at.Detail)
	if at.Err != nil {
		fmt.Fprintf(m.Err, "  %v\n", at.Err)
	}
	fmt.Fprintln(m.Err, rest)
	return code
}

// recorder notes what is read.
type recorder struct {
	fs.FS
	read map[string]string
}

// Open implements fs.FS.
func (r *recorder) Open(name string) (fs.File, error) {
	if raw, err := fs.ReadFile(r.FS, name); err == nil {
		if text, err := mof.Text(raw); err == nil {
			r.read[name] = text
		}
	}
	return r.FS.Open(name)
}

// readMOF reads and parses a file with what it includes. The texts are UTF-8,
// whatever the files are.
func readMOF(file string) (text string, f *mof.File, included map[string]string, err error) {
	if info, err := os.Stat(file); err == nil && info.Size() > mof.MaxSize {
		return "", nil, nil, fmt.Errorf("%s is larger than %d bytes", file, mof.MaxSize)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", nil, nil, err
	}
	r := &recorder{FS: os.DirFS(filepath.Dir(file)), read: map[string]string{}}
	if f, err = mof.Parse(file, raw, mof.ParseOptions{Include: r}); err != nil {
		return "", f, r.read, err
	}
	text, err = mof.Text(raw)
	return text, f, r.read, err
}

// split writes the neutral and the localized part of a text, to be compiled
// both.
func (l *mofLine) split(f *mof.File) error {
	neutral, localized, err := mof.Split(f, l.locale)
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.neutral, neutral, 0o644); err != nil { // #nosec G306 -- the text that was given, in two files
		return err
	}
	return os.WriteFile(l.localized, localized, 0o644) // #nosec G306 -- as above
}

// store compiles the text into the repository of the target: object by object
// where the way to it carries classes or the text is large, else the text as a
// whole over there.
func (m *MOFCompiler) store(ctx context.Context, l *mofLine, text string, f *mof.File, included map[string]string) error {
	if l.target.User != "" && !l.passwordGiven && m.Password != nil {
		var err error
		if l.target.Password, err = m.Password(ctx, l.target.User); err != nil {
			return err
		}
	}
	fmt.Fprintln(m.Out, "Storing data in the repository...")
	root, err := m.Connector.Session(ctx, l.target, "root")
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer root.Close()
	size := len(text)
	for _, text := range included {
		size += len(text)
	}
	if _, classes := root.(cim.ClassWriter); classes || size > mostText {
		sessions := mof.NewSessions(func(ctx context.Context, namespace string) (cim.Session, error) {
			return m.Connector.Session(ctx, l.target, namespace)
		})
		defer sessions.Close()
		var target mof.Target = sessions
		if !classes {
			target = &repositoryTarget{sessions, root}
		}
		err = mof.Compile(ctx, f, target, mof.Options{
			Namespace: l.namespace, ClassFlags: classFlags[l.class], InstanceFlags: instanceFlags[l.instance],
			Progress: func(_ *mof.Object, _ string, err error) { l.stored = l.stored || err == nil },
		})
	} else {
		err = l.compileThere(ctx, root, text, included)
	}
	if err != nil {
		return err
	}
	return m.recover(l, f)
}

// compileThere has the service at the other end compile the text.
func (l *mofLine) compileThere(ctx context.Context, root cim.Session, text string, included map[string]string) error {
	in := cim.Arguments{{Name: "MOF", Value: cim.Str(text)}}
	add := func(name, value string) {
		if value != "" {
			in = append(in, cim.NamedValue{Name: name, Value: cim.Str(value)})
		}
	}
	add("Namespace", l.namespace)
	add("ClassFlags", l.class)
	add("InstanceFlags", l.instance)
	if len(included) > 0 {
		var names, texts []string
		for name, text := range included {
			names, texts = append(names, name), append(texts, text)
		}
		in = append(in, cim.NamedValue{Name: "IncludeNames", Value: cim.Strs(names)}, cim.NamedValue{Name: "IncludeTexts", Value: cim.Strs(texts)})
	}
	result, err := root.Invoke(ctx, repositoryClass, "Compile", in, cim.OperationOptions{})
	if err != nil {
		return err
	}
	code, _ := result.ReturnValue.Uint()
	if code == 0 {
		return nil
	}
	l.stored = len(result.Out.Get("Objects").Elems()) > 0
	e := &mof.Error{Code: cim.Status(code)} // #nosec G115 -- a status is 32 bits
	e.File, _ = result.Out.Get("File").Str()
	if e.File == "" {
		e.File = l.file
	}
	line, _ := result.Out.Get("Line").Uint()
	column, _ := result.Out.Get("Column").Uint()
	e.Line, e.Column = int(line), int(column) // #nosec G115 -- places in a text of 32 MiB
	e.Detail, _ = result.Out.Get("Message").Str()
	return e
}

// recover sees to #pragma autorecover and -autorecover, and warns where
// neither is there.
func (m *MOFCompiler) recover(l *mofLine, f *mof.File) error {
	if !f.Autorecover && !l.autorecover {
		fmt.Fprintf(m.Out, "WARNING: File %s does not contain #PRAGMA AUTORECOVER.\n", l.file)
		fmt.Fprintln(m.Out, "When the repository is rebuilt, what this file defines will not be in the new one.")
		fmt.Fprintln(m.Out, "To have it there, put #PRAGMA AUTORECOVER on its first line, or use -autorecover.")
		return nil
	}
	if l.target.Host != "" || m.Autorecover == nil {
		fmt.Fprintln(m.Out, "WARNING: the file is not on the machine of the repository, and is not noted for its recovery.")
		return nil
	}
	path, err := filepath.Abs(l.file)
	if err != nil {
		return err
	}
	return m.Autorecover(path)
}
