package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// dynamicProperty is what a property needs whose value a property provider
// keeps while the rest of the instance is stored. See spec/wmi.md 2.7.
func dynamicProperty(p *cim.Property) (provider, propertyContext string, ok bool) {
	if !p.Qualifiers.True("Dynamic") {
		return "", "", false
	}
	provider = p.Qualifiers.Text("Provider")
	return provider, p.Qualifiers.Text("PropertyContext"), provider != ""
}

// fill reads the dynamic properties of a stored instance that are wanted.
func (st *storage) fill(ctx context.Context, r *Request, i *cim.Instance) error {
	for n := range r.Class.Properties {
		p := &r.Class.Properties[n]
		name, propertyContext, ok := dynamicProperty(p)
		if !ok || !r.WantsAt(n) {
			continue
		}
		src, err := st.propertySource(r, name)
		if err != nil {
			return err
		}
		getter, can := src.provider.(PropertyGetter)
		if !can || src.noPropertyGet {
			return &cim.Error{Status: cim.ErrProviderNotCapable, Path: r.Class.Name + "." + p.Name, Detail: "the provider does not read properties"}
		}
		path, _ := i.Path()
		var v cim.Value
		err = src.during(r, operation{kind: OpGetProperty}, func() (err error) {
			v, err = getter.Property(ctx, r, path, p.Name, propertyContext)
			return err
		})
		if err != nil {
			return err
		}
		if err := i.SetAt(n, v); err != nil {
			return &cim.Error{Status: cim.ErrProviderFailure, Path: r.Class.Name + "." + p.Name, Detail: "the provider gave a value of another type", Err: err}
		}
	}
	return nil
}

// setDynamic writes the dynamic properties of an instance that are wanted; nil
// means those with a value.
func (st *storage) setDynamic(ctx context.Context, r *Request, i *cim.Instance, wanted []bool) error {
	for n := range r.Class.Properties {
		p := &r.Class.Properties[n]
		name, propertyContext, ok := dynamicProperty(p)
		if !ok || wanted != nil && !wanted[n] || wanted == nil && i.At(n).IsNull() {
			continue
		}
		src, err := st.propertySource(r, name)
		if err != nil {
			return err
		}
		setter, can := src.provider.(PropertySetter)
		if !can || src.noPropertySet {
			return &cim.Error{Status: cim.ErrReadOnly, Path: r.Class.Name + "." + p.Name, Detail: "the provider does not write properties"}
		}
		path, _ := i.Path()
		err = src.during(r, operation{kind: OpPutProperty}, func() error { return setter.SetProperty(ctx, r, path, p.Name, propertyContext, i.At(n)) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (st *storage) propertySource(r *Request, name string) (*source, error) {
	ns := st.manager.namespace(r.Namespace)
	if ns == nil {
		return nil, cim.ErrInvalidNamespace
	}
	e := ns.find(r.Class.Name)
	if e == nil {
		return nil, cim.ErrInvalidClass
	}
	return st.manager.named(ns, e, name)
}
