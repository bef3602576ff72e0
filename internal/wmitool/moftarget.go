package wmitool

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
)

// mostText is how much MOF goes in one call of Compile: with every sign of it
// escaped in XML it is below the usual MaxEnvelopeSizekb, 500.
const mostText = 64 << 10

// repositoryTarget stores what a text compiles to, where the way to the host
// carries no class definitions and the text is too large for one message: each
// class and each instance is a text and a call of its own, so that a text of
// any size needs no state at the other end. Aliases, flags and places in the
// text stay here.
type repositoryTarget struct {
	*mof.Sessions // reads classes and deletes instances
	root          cim.Session
}

// PutClass implements mof.Target.
func (t *repositoryTarget) PutClass(ctx context.Context, namespace string, declared *cim.Class, o cim.PutClassOptions) error {
	flags := map[cim.ClassMode]string{cim.ClassCreateOnly: "createonly", cim.ClassUpdateOnly: "updateonly"}[o.Mode] + " " +
		map[cim.ClassConflict]string{cim.SafeConflict: "safeupdate", cim.ForceConflict: "forceupdate"}[o.Conflict]
	_, err := t.compile(ctx, namespace, mof.AppendClass(nil, declared, mof.PrintOptions{}), "ClassFlags", flags)
	return err
}

// PutInstance implements mof.Target.
func (t *repositoryTarget) PutInstance(ctx context.Context, namespace string, i *cim.Instance, o mof.PutInstanceOptions) (cim.ObjectPath, error) {
	flags := ""
	switch {
	case o.Flags&mof.CreateOnly != 0:
		flags = "createonly"
	case o.Flags&mof.UpdateOnly != 0:
		flags = "updateonly"
	}
	text := mof.AppendQualifiedInstance(nil, i, o.Qualifiers, o.Properties)
	objects, err := t.compile(ctx, namespace, text, "InstanceFlags", flags)
	path, _ := i.Path()
	if err != nil || len(objects) == 0 {
		return path, err
	}
	stored, _ := objects[0].Str()
	return cim.ParsePath(stored)
}

// DeleteClass implements mof.Target.
func (t *repositoryTarget) DeleteClass(ctx context.Context, namespace, name string) error {
	_, err := t.compile(ctx, namespace, []byte("#pragma deleteclass(\""+name+"\", FAIL)\n"), "ClassFlags", "")
	return err
}

// compile compiles the text of one object over there and gives the paths of
// what was stored.
func (t *repositoryTarget) compile(ctx context.Context, namespace string, text []byte, flagsName, flags string) ([]cim.Value, error) {
	in := cim.Arguments{{Name: "MOF", Value: cim.Str(string(text))}, {Name: "Namespace", Value: cim.Str(namespace)}, {Name: flagsName, Value: cim.Str(flags)}}
	result, err := t.root.Invoke(ctx, repositoryClass, "Compile", in, cim.OperationOptions{})
	if err != nil {
		return nil, err
	}
	if code, _ := result.ReturnValue.Uint(); code != 0 {
		why, _ := result.Out.Get("Message").Str()
		if _, rest, ok := strings.Cut(why, " was not "); ok { // what was not is known here
			_, why, _ = strings.Cut(rest, ": ")
		}
		return nil, &cim.Error{Status: cim.Status(code), Namespace: namespace, Detail: why, Remote: true} // #nosec G115 -- a status is 32 bits
	}
	return result.Out.Get("Objects").Elems(), nil
}
