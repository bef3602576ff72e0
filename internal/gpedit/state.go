package gpedit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
)

// Given is an option with its text, as --option gives it and as show prints it.
type Given struct{ Name, Text string }

// Setting is what a policy file says about a policy.
type Setting struct {
	State   State
	Options []Given // those with a value; an Entries or Named option once for each entry
	Damage  string  // what is wrong with the values, or ""
}

// Read tells what a policy file says about the policy.
func (p *Policy) Read(file *registry.Policy) Setting {
	tree, err := registry.Overlay(registry.NewTree(), p.own(file))
	if err != nil {
		return Setting{State: Enabled, Damage: err.Error()}
	}
	s := Setting{Options: p.options(tree)}
	if p.Value == "" {
		switch {
		case len(s.Options) > 0:
			s.State = Enabled
		case p.deleted(tree, file):
			s.State = Disabled
		}
	} else if v, src, ok := tree.Value(`HKLM\`+p.Key, p.Value); src == registry.SourceGPO {
		n, isNumber := v.Uint()
		switch {
		case ok && isNumber && n == uint64(p.On):
			s.State = Enabled
		case ok && isNumber && n == uint64(p.Off):
			s.State = Disabled
		default:
			s.State, s.Damage = Enabled, fmt.Sprintf("%s is %v %v, want REG_DWORD %d or %d", p.Value, v.Type(), v, p.On, p.Off)
		}
	}
	for i := range p.Options {
		o := &p.Options[i]
		for _, g := range s.Options {
			if g.Name != o.Name || s.Damage != "" {
				continue
			}
			if err := o.check(g.Text); err != nil {
				s.Damage = fmt.Sprintf("%s: %v", o.Name, err)
			}
		}
	}
	return s
}

// own are the entries of a file that are about the policy.
func (p *Policy) own(file *registry.Policy) *registry.Policy {
	out := &registry.Policy{}
	for _, e := range file.Entries {
		if p.Has(e) {
			out.Entries = append(out.Entries, e)
		}
	}
	return out
}

// Has tells whether an entry is about the policy.
func (p *Policy) Has(e registry.PolicyEntry) bool {
	if p.Value != "" && e.IsFor(p.Key) && strings.EqualFold(e.ValueName(), p.Value) {
		return true
	}
	for _, o := range p.Options {
		if o.Key != "" && e.IsFor(o.Key) || o.Key == "" && e.IsFor(p.Key) && strings.EqualFold(e.ValueName(), o.Value) {
			return true
		}
	}
	return false
}

// deleted tells whether the file deletes what the options would set.
func (p *Policy) deleted(tree *registry.Tree, file *registry.Policy) bool {
	for _, o := range p.Options {
		if o.Key == "" && tree.Source(`HKLM\`+p.Key, o.Value) == registry.SourceGPO {
			return true
		}
		if o.Key != "" && slices.ContainsFunc(file.Entries, func(e registry.PolicyEntry) bool { return e.IsFor(o.Key) }) {
			return true
		}
	}
	return false
}

// options are the values of the options in a tree.
func (p *Policy) options(tree *registry.Tree) []Given {
	var out []Given
	for i := range p.Options {
		o := &p.Options[i]
		if o.Key == "" {
			if v, ok := tree.Get(`HKLM\`+p.Key, o.Value); ok {
				out = append(out, Given{o.Name, o.text(v)})
			}
			continue
		}
		values := tree.Values(`HKLM\` + o.Key)
		if o.Kind == Entries {
			slices.SortStableFunc(values, func(a, b registry.Named) int { return position(a) - position(b) })
		}
		for _, nv := range values {
			text := nv.Value.String()
			if o.Kind == Named {
				text = nv.Name + "=" + text
			}
			out = append(out, Given{o.Name, text})
		}
	}
	return out
}

// position is the number that names an entry of a list.
func position(nv registry.Named) int {
	n, err := strconv.Atoi(nv.Name)
	if err != nil {
		return 1 << 30
	}
	return n
}

// text is a registry value as --option takes it.
func (o *Option) text(v registry.Value) string {
	for _, c := range o.Choices {
		if c.Value == v || o.sameText(c.Value, v) {
			return c.Name
		}
	}
	if n, ok := v.Uint(); ok {
		return strconv.FormatUint(n, 10)
	}
	return v.String()
}

func (o *Option) sameText(a, b registry.Value) bool {
	x, isText := a.Text()
	y, other := b.Text()
	return isText && other && strings.EqualFold(x, y)
}

// check says what is wrong with the text of an option.
func (o *Option) check(text string) error {
	switch o.Kind {
	case Number:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n < uint64(o.Min) || n > uint64(o.Max) {
			return fmt.Errorf("%q is no number from %d to %d", clip(text), o.Min, o.Max)
		}
	case Choice:
		if !slices.ContainsFunc(o.Choices, func(c ChoiceValue) bool { return strings.EqualFold(c.Name, text) }) {
			return fmt.Errorf("%q is not %s", clip(text), o.choices())
		}
	case Named:
		name, rest, ok := strings.Cut(text, "=")
		if !ok || name == "" || strings.HasPrefix(name, "*") {
			return fmt.Errorf("%q is not NAME=TEXT", clip(text))
		}
		text = rest
	}
	if strings.ContainsRune(text, 0) || len(text) > 32<<10 {
		return fmt.Errorf("%q is too long or holds a NUL", clip(text))
	}
	if o.Check == nil {
		return nil
	}
	return o.Check(text)
}

func (o *Option) choices() string {
	names := make([]string, len(o.Choices))
	for i, c := range o.Choices {
		names[i] = c.Name
	}
	return strings.Join(names, " or ")
}

// Range says which texts an option takes, or "".
func (o *Option) Range() string {
	switch o.Kind {
	case Number:
		return fmt.Sprintf("%d to %d", o.Min, o.Max)
	case Choice:
		return o.choices()
	}
	return ""
}

// Set makes a policy file say that the policy has a state. Options are for Enabled alone;
// one that is not given gets its default. What the file says about other things stays. An
// error says what is wrong and leaves the file as it is.
func (p *Policy) Set(file *registry.Policy, s State, options []Given) error {
	if s == NotConfigured {
		if len(options) > 0 {
			return fmt.Errorf("gpedit: options are for the state Enabled")
		}
		p.clear(file)
		return nil
	}
	if s == Disabled && p.WhenDisabled == "" {
		return fmt.Errorf("gpedit: %q is enabled or not configured, it has no state Disabled", p.Name)
	}
	if s == Disabled && len(options) > 0 {
		return fmt.Errorf("gpedit: options are for the state Enabled")
	}
	texts, err := p.sort(s, options)
	if err != nil {
		return err
	}
	p.clear(file)
	if p.Value != "" {
		n := p.On
		if s == Disabled {
			n = p.Off
		}
		file.Set(p.Key, p.Value, registry.DWORD(n))
	}
	for i := range p.Options {
		p.Options[i].write(file, p.Key, s, texts[i])
	}
	return nil
}

// sort gives each option its texts, and checks them.
func (p *Policy) sort(s State, options []Given) ([][]string, error) {
	texts := make([][]string, len(p.Options))
	for _, g := range options {
		i := slices.IndexFunc(p.Options, func(o Option) bool { return strings.EqualFold(o.Name, g.Name) })
		if i < 0 {
			return nil, fmt.Errorf("gpedit: %q has no option %q%s", p.Name, clip(g.Name), p.optionNames())
		}
		o := &p.Options[i]
		if err := o.check(g.Text); err != nil {
			return nil, fmt.Errorf("gpedit: option %s: %w", o.Name, err)
		}
		if texts[i] = append(texts[i], g.Text); len(texts[i]) > 1 && o.Key == "" {
			return nil, fmt.Errorf("gpedit: option %s stands twice", o.Name)
		}
	}
	for i := range p.Options {
		if o := &p.Options[i]; s == Enabled && texts[i] == nil && o.Required {
			return nil, fmt.Errorf("gpedit: option %s is missing: %s", o.Name, o.Text)
		}
	}
	return texts, nil
}

func (p *Policy) optionNames() string {
	if len(p.Options) == 0 {
		return "; it has none"
	}
	names := make([]string, len(p.Options))
	for i, o := range p.Options {
		names[i] = o.Name
	}
	return "; it has " + strings.Join(names, ", ")
}

// write adds the entries of an option. See [MS-GPREG] 3.2.5.1: a list begins with the
// deletion of what was in its key, and a value that a disabled policy does not set is
// deleted.
func (o *Option) write(file *registry.Policy, key string, s State, texts []string) {
	switch {
	case o.Kind == Named:
		for _, text := range texts {
			name, rest, _ := strings.Cut(text, "=")
			file.Set(o.Key, name, registry.SZ(rest))
		}
	case o.Kind == Entries:
		file.DeleteValues(o.Key)
		for n, text := range texts {
			file.Set(o.Key, strconv.Itoa(n+1), registry.SZ(text))
		}
	case s == Disabled:
		file.Delete(key, o.Value)
	case len(texts) == 0:
		file.Set(key, o.Value, o.value(o.Default))
	default:
		file.Set(key, o.Value, o.value(texts[0]))
	}
}

// value is the registry value of a text that was checked.
func (o *Option) value(text string) registry.Value {
	switch o.Kind {
	case Number:
		n, _ := strconv.ParseUint(text, 10, 32)
		return registry.DWORD(uint32(n))
	case Choice:
		for _, c := range o.Choices {
			if strings.EqualFold(c.Name, text) {
				return c.Value
			}
		}
	}
	return registry.SZ(text)
}

// clear takes everything about the policy out of a file.
func (p *Policy) clear(file *registry.Policy) {
	file.Entries = slices.DeleteFunc(file.Entries, p.Has)
}
