package cimom

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/security"
)

// compileMethod is Casement_Repository.Compile: MOF text becomes classes and
// instances, each with the caller's own rights. What is wrong with the text is
// the method's result and not a failure of the call.
func (p *systemProvider) compileMethod(ctx context.Context, r *Request, in cim.Arguments) (cim.Result, error) {
	text, ok := in.Get("MOF").Str()
	if !ok {
		return cim.Result{}, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "MOF is missing"}
	}
	classFlags, ok1 := mofFlags(in.Get("ClassFlags"), mof.CreateOnly|mof.UpdateOnly|mof.SafeUpdate|mof.ForceUpdate)
	instanceFlags, ok2 := mofFlags(in.Get("InstanceFlags"), mof.CreateOnly|mof.UpdateOnly)
	if !ok1 || !ok2 {
		return cim.Result{}, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "the flags are createonly, updateonly and, for classes, safeupdate and forceupdate"}
	}
	namespace, _ := in.Get("Namespace").Str()
	check, _ := in.Get("Check").Bool()
	objects := []string{}
	include, err := included(in)
	if err != nil {
		return cim.Result{}, err
	}
	f, err := mof.Parse("", []byte(text), mof.ParseOptions{Include: include})
	if err == nil && !check {
		t := &compileTarget{manager: p.manager, request: r, sessions: map[string]*session{}}
		defer t.close()
		err = mof.Compile(ctx, f, t, mof.Options{Namespace: namespace, ClassFlags: classFlags, InstanceFlags: instanceFlags})
		objects = t.objects
	}
	return compileResult(err, objects), nil
}

// included are the texts that #include may name. They come with the call: the
// service reads no file for anybody.
func included(in cim.Arguments) (fs.FS, error) {
	names, texts := in.Get("IncludeNames").Elems(), in.Get("IncludeTexts").Elems()
	if len(names) != len(texts) {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "IncludeNames and IncludeTexts are not of the same length"}
	}
	files := includes{}
	for n := range names {
		name, _ := names[n].Str()
		text, _ := texts[n].Str()
		if !fs.ValidPath(name) || name == "." {
			return nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "a name of an included text is not a relative path"}
		}
		files[name] = text
	}
	return files, nil
}

// includes are texts by name.
type includes map[string]string

// Open implements fs.FS.
func (t includes) Open(name string) (fs.File, error) {
	text, ok := t[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return include{strings.NewReader(text)}, nil
}

// include is an open text.
type include struct{ *strings.Reader }

// Stat implements fs.File.
func (i include) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

// Close implements fs.File.
func (i include) Close() error { return nil }

// mofFlags reads the flags of a compilation: words with blanks or commas
// between them.
func mofFlags(v cim.Value, allowed mof.Flags) (flags mof.Flags, ok bool) {
	text, _ := v.Str()
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' }) {
		one := map[string]mof.Flags{"createonly": mof.CreateOnly, "updateonly": mof.UpdateOnly, "safeupdate": mof.SafeUpdate, "forceupdate": mof.ForceUpdate}[cim.Fold(word)]
		if one == 0 || one&allowed == 0 {
			return 0, false
		}
		flags |= one
	}
	return flags, true
}

func compileResult(err error, objects []string) cim.Result {
	out := cim.NamedArray{{Name: "Objects", Value: cim.Strs(objects)}}
	var e *mof.Error
	switch {
	case errors.As(err, &e):
		out = append(out, cim.NamedValue{Name: "File", Value: cim.Str(e.File)},
			cim.NamedValue{Name: "Line", Value: cim.U32(uint32(e.Line))},     // #nosec G115 -- bounded by the size of the text
			cim.NamedValue{Name: "Column", Value: cim.U32(uint32(e.Column))}, // #nosec G115 -- likewise
			cim.NamedValue{Name: "Message", Value: cim.Str(e.Detail)})
	case err != nil:
		out = append(out, cim.NamedValue{Name: "Message", Value: cim.Str(cim.StatusOf(err).Text())})
	}
	return cim.Result{ReturnValue: cim.U32(uint32(cim.StatusOf(err))), Out: out}
}

// compileTarget stores what a compilation makes, through sessions of its
// caller.
type compileTarget struct {
	manager  *Manager
	request  *Request
	sessions map[string]*session // by folded namespace
	objects  []string
}

func (t *compileTarget) close() {
	for _, s := range t.sessions {
		s.Close()
	}
}

func (t *compileTarget) session(ctx context.Context, namespace string) (*session, error) {
	key := cim.Fold(namespaceName(namespace))
	if s := t.sessions[key]; s != nil {
		return s, nil
	}
	opened, err := t.manager.Open(ctx, t.request.Caller, namespace, cim.OpenOptions{Locales: t.request.Locales, Context: t.request.Context})
	if err != nil {
		return nil, err
	}
	s := opened.(*session)
	t.sessions[key] = s
	return s, nil
}

// maxObjects bounds the paths that a compilation answers with: the answer has
// to go through envelopes of limited size.
const maxObjects = 1000

func (t *compileTarget) stored(namespace, relative string) {
	if len(t.objects) == maxObjects {
		return
	}
	t.objects = append(t.objects, namespaceName(namespace)+":"+relative)
}

// GetClass reads a class.
func (t *compileTarget) GetClass(ctx context.Context, namespace, name string) (*cim.Class, error) {
	s, err := t.session(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return s.GetClass(ctx, name, cim.GetOptions{})
}

// PutClass stores a class.
func (t *compileTarget) PutClass(ctx context.Context, namespace string, declared *cim.Class, o cim.PutClassOptions) error {
	s, err := t.session(ctx, namespace)
	if err != nil {
		return err
	}
	if err := s.PutClass(ctx, declared, o); err != nil {
		return err
	}
	t.stored(s.ns.name, declared.Name)
	return nil
}

// PutInstance stores an instance. The qualifiers NamespaceSecuritySDDL, of a
// new namespace, and RequiresEncryption, of __SystemSecurity, take effect and
// are not stored. See spec/wmi.md 2.9.
func (t *compileTarget) PutInstance(ctx context.Context, namespace string, i *cim.Instance, o mof.PutInstanceOptions) (path cim.ObjectPath, err error) {
	s, err := t.session(ctx, namespace)
	if err != nil {
		return path, err
	}
	class := i.Class()
	switch {
	case class.IsA("__NAMESPACE"):
		path, err = t.putNamespace(ctx, s, i, o)
	case cim.EqualFold(class.Name, "__SystemSecurity"):
		path, err = t.putEncryption(ctx, s, i, o)
	case o.Flags&mof.CreateOnly != 0:
		path, err = s.Create(ctx, i, cim.OperationOptions{})
	default:
		path, err = t.put(ctx, s, i, o.Flags&mof.UpdateOnly != 0)
	}
	if err == nil {
		t.stored(s.ns.name, path.Relative())
	}
	return path, err
}

func (t *compileTarget) put(ctx context.Context, s *session, i *cim.Instance, updateOnly bool) (cim.ObjectPath, error) {
	path, whole := i.Path()
	if !whole && !updateOnly && namesItself(i.Class()) {
		return s.Create(ctx, i, cim.OperationOptions{})
	}
	mode := cim.CreateOrUpdate
	if updateOnly {
		mode = cim.UpdateOnly
	}
	return path, s.Put(ctx, i, cim.PutOptions{Mode: mode})
}

func (t *compileTarget) putNamespace(ctx context.Context, s *session, i *cim.Instance, o mof.PutInstanceOptions) (cim.ObjectPath, error) {
	path, _ := i.Path()
	name, _ := i.Get("Name").Str()
	var own *security.SecurityDescriptor
	if sddl, ok := o.Qualifiers.Get("NamespaceSecuritySDDL"); ok {
		text, _ := sddl.Str()
		var err error
		if own, err = namespaceSDDL(text); err != nil {
			return path, err
		}
		if own.SACL != nil && !s.caller.Token.HasPrivilege(security.SeSecurity) {
			return path, &cim.Error{Status: cim.ErrAccessDenied, Detail: "what is audited in a namespace needs SeSecurityPrivilege"}
		}
	}
	encrypt := o.Qualifiers.True("RequiresEncryption")
	exists := s.manager.namespace(s.ns.name+`\`+name) != nil
	switch {
	case exists && o.Flags&mof.CreateOnly != 0:
		return path, cim.ErrAlreadyExists
	case exists:
		return path, nil // its security is changed through __SystemSecurity
	case o.Flags&mof.UpdateOnly != 0:
		return path, cim.ErrNotFound
	}
	if err := s.begin(ctx, rightEnable|rightFullWrite); err != nil {
		return path, err
	}
	return path, s.manager.makeNamespace(ctx, s.caller, s.ns, name, own, encrypt)
}

// namespaceSDDL reads the qualifier NamespaceSecuritySDDL; that its letters are
// capitals was checked with the text.
func namespaceSDDL(text string) (*security.SecurityDescriptor, error) {
	sd, err := security.ParseSDDL(text)
	if err != nil {
		return nil, &cim.Error{Status: cim.ErrInvalidParameter, Detail: "NamespaceSecuritySDDL is no security descriptor", Err: err}
	}
	return sd, checkDescriptor(sd)
}

func (t *compileTarget) putEncryption(ctx context.Context, s *session, i *cim.Instance, o mof.PutInstanceOptions) (cim.ObjectPath, error) {
	path, _ := i.Path()
	v, given := o.Qualifiers.Get("RequiresEncryption")
	if !given {
		return path, nil
	}
	if err := s.begin(ctx, rightEnable|rightWriteDAC); err != nil {
		return path, err
	}
	on, _ := v.Bool()
	return path, s.manager.setSecurity(ctx, s.ns, func(set *settings) { set.encrypt = on })
}

// DeleteClass removes a class.
func (t *compileTarget) DeleteClass(ctx context.Context, namespace, name string) error {
	s, err := t.session(ctx, namespace)
	if err != nil {
		return err
	}
	return s.DeleteClass(ctx, name, cim.OperationOptions{})
}

// DeleteInstance removes an instance.
func (t *compileTarget) DeleteInstance(ctx context.Context, namespace string, path cim.ObjectPath) error {
	s, err := t.session(ctx, namespace)
	if err != nil {
		return err
	}
	return s.Delete(ctx, path, cim.OperationOptions{})
}
