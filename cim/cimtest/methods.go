package cimtest

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// Method is the body of one method of the suite.
type Method struct {
	Class, Name string
	Run         func(ctx context.Context, path cim.ObjectPath, in cim.Arguments) (cim.Result, error)
}

func addMethods(b *cim.ClassBuilder) {
	var echo []cim.Parameter
	for _, s := range scalars {
		echo = append(echo, cim.InOut(s.property(false), s.typ), cim.InOut(s.property(true), s.typ.Array()))
	}
	b.StaticMethod("Echo", cim.Uint32, echo...)
	b.StaticMethod("Embed", cim.Untyped, cim.In("In", cim.Object), cim.Out("Out", cim.Object), cim.Out("Path", cim.Reference))
	b.Method("Describe", cim.Sint32, cim.In("Prefix", cim.String, cim.IsOptional()), cim.Out("Text", cim.String))
	b.Method("Fail", cim.Uint32, cim.In("Status", cim.Uint32))
	b.Method("Absent", cim.Uint32)
	b.StaticMethod("Wait", cim.Uint32)
}

// Methods are the bodies of the suite's methods; Absent has none on purpose.
func Methods() []Method {
	return []Method{
		{"CT_Types", "Echo", func(_ context.Context, _ cim.ObjectPath, in cim.Arguments) (cim.Result, error) {
			return cim.Result{ReturnValue: cim.U32(4294967295), Out: in}, nil
		}},
		{"CT_Types", "Embed", func(_ context.Context, _ cim.ObjectPath, in cim.Arguments) (cim.Result, error) {
			return cim.Result{Out: cim.NamedArray{{Name: "Out", Value: in.Get("In")}, {Name: "Path", Value: cim.Ref(`CT_Part.ID="p1"`)}}}, nil
		}},
		{"CT_Types", "Describe", func(_ context.Context, path cim.ObjectPath, in cim.Arguments) (cim.Result, error) {
			id, _ := path.Key("ID")
			text := path.Class + " " + id.String()
			if prefix, ok := in.Get("Prefix").Str(); ok {
				text = prefix + text
			}
			return cim.Result{ReturnValue: cim.S32(-1), Out: cim.NamedArray{{Name: "Text", Value: cim.Str(text)}}}, nil
		}},
		{"CT_Types", "Fail", func(_ context.Context, _ cim.ObjectPath, in cim.Arguments) (cim.Result, error) {
			n, _ := in.Get("Status").Uint()
			return cim.Result{}, cim.Status(n)
		}},
		{"CT_Types", "Wait", func(ctx context.Context, _ cim.ObjectPath, _ cim.Arguments) (cim.Result, error) {
			<-ctx.Done()
			return cim.Result{}, ctx.Err()
		}},
		{"CT_Only", "Touch", func(context.Context, cim.ObjectPath, cim.Arguments) (cim.Result, error) {
			return cim.Result{ReturnValue: cim.U32(0)}, nil
		}},
	}
}
