package host

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
)

// cooked is a formatted performance class, made of a raw one. The qualifiers of its properties are the recipe: which
// raw counter (Counter), base (Base) and time stamp (PerfTimeStamp, PerfTimeFreq) go into which formula (CookingType).
// See the documentation of the property qualifiers for performance counter classes.
type cooked struct {
	name, raw string
	// same are the raw properties by which an instance is known again in the next sample; none in a singleton.
	same []string
}

// formatted is the class Win32_PerfFormattedData_NAME, made of Win32_PerfRawData_NAME.
func formatted(name string, same ...string) *cooked {
	return &cooked{name: "Win32_PerfFormattedData_" + name, raw: "Win32_PerfRawData_" + name, same: same}
}

// recipe is how one property of a formatted class is made.
type recipe struct {
	at                             int // in the formatted class
	formula                        formula
	counter, base, time, frequency int // in the raw class; -1: the formula needs none
	width                          int // bits of the counter
}

func (s *cooked) className() string { return s.name }

// columnNames are the properties with a recipe.
func (s *cooked) columnNames() []string {
	names := []string{"Name"}
	c := classNamed(s.name)
	for i := range c.Properties {
		if c.Properties[i].Qualifiers.Text("CookingType") != "" {
			names = append(names, c.Properties[i].Name)
		}
	}
	return names
}

func (s *cooked) list(ctx context.Context, p *Provider, c *cim.Class, q query, yield func(*cim.Instance) error) error {
	raw := classNamed(s.raw)
	recipes, two := s.recipes(c, raw, q)
	wanted := s.ingredients(raw, recipes)
	take := func(wanted []bool) (*sample, error) { return p.sample(ctx, raw, wanted, s.same) }
	var before, after *sample
	var err error
	if two {
		before, after, err = p.samples.of(s.raw).pair(ctx, wanted, take)
	} else {
		after, err = take(wanted)
	}
	if err != nil {
		return err
	}
	name, rawName := c.PropertyIndex("Name"), raw.PropertyIndex("Name")
	wantedName, one := q.text("Name")
	values := make([]cim.Value, len(c.Properties))
	var inst cim.Instance
	for n, now := range after.rows {
		if one && !cim.EqualFold(wantedName, string(now[rawName].AppendText(nil))) {
			continue
		}
		for i := range values {
			values[i] = cim.Null(c.Properties[i].Type)
		}
		values[name] = now[rawName]
		past := before.row(after.keys[n])
		for _, r := range recipes {
			values[r.at] = r.cook(past, now, c.Properties[r.at].Type)
		}
		cim.ResetInstance(&inst, c, values)
		if err := yield(&inst); err != nil {
			return err
		}
	}
	return nil
}

// begin begins the measurement that list will end, so that those of several classes go on at the same time. A
// failure is the business of list.
func (s *cooked) begin(ctx context.Context, p *Provider, c *cim.Class, q query) {
	raw := classNamed(s.raw)
	recipes, two := s.recipes(c, raw, q)
	if !two {
		return
	}
	m := p.samples.of(s.raw)
	if !m.mu.TryLock() { // somebody measures already
		return
	}
	defer m.mu.Unlock()
	wanted := s.ingredients(raw, recipes)
	if !m.fresh(wanted) {
		_, _, _ = m.start(wanted, func(wanted []bool) (*sample, error) { return p.sample(ctx, raw, wanted, s.same) })
	}
}

// recipes are those of the properties that are wanted; two tells whether one of them needs two samples.
func (s *cooked) recipes(c, raw *cim.Class, q query) (list []recipe, two bool) {
	for i := range c.Properties {
		property := &c.Properties[i]
		kind := property.Qualifiers.Text("CookingType")
		if kind == "" || q.wants != nil && !q.wants(i) {
			continue
		}
		index := func(qualifier string) int { return raw.PropertyIndex(property.Qualifiers.Text(qualifier)) }
		r := recipe{at: i, formula: formulas[kind],
			counter: index("Counter"), base: index("Base"), time: index("PerfTimeStamp"), frequency: index("PerfTimeFreq")}
		r.width = raw.Properties[r.counter].Type.Bits()
		list, two = append(list, r), two || r.formula.samples == 2
	}
	return list, two
}

// ingredients are the raw properties that the recipes need.
func (s *cooked) ingredients(raw *cim.Class, recipes []recipe) []bool {
	wanted := make([]bool, len(raw.Properties))
	for _, name := range s.same {
		wanted[raw.PropertyIndex(name)] = true
	}
	for _, r := range recipes {
		for _, i := range [...]int{r.counter, r.base, r.time, r.frequency} {
			if i >= 0 {
				wanted[i] = true
			}
		}
	}
	return wanted
}

// cook makes the value of one instance. past is nil for one that the first sample did not have: what needs two samples
// is not known of it. The fraction of a result is dropped, as the formatted classes have integers only.
func (r *recipe) cook(past, now []cim.Value, t cim.Type) cim.Value {
	if r.formula.samples == 1 {
		past = now
	}
	if past == nil {
		return cim.Null(t)
	}
	before, ok1 := r.reading(past)
	after, ok2 := r.reading(now)
	if !ok1 || !ok2 {
		return cim.Null(t)
	}
	v, ok := r.formula.cook(before, after, r.width)
	switch {
	case !ok:
		return cim.Null(t)
	case r.formula.samples == 1 && v == float64(after.value):
		return cim.Uint(t, after.value) // every bit of it
	}
	return cim.Uint(t, uint64(v))
}

func (r *recipe) reading(row []cim.Value) (out reading, ok bool) {
	ok = true
	number := func(i int) uint64 {
		if i < 0 {
			return 0
		}
		n, known := row[i].Uint()
		ok = ok && known && !row[i].IsNull()
		return n
	}
	out = reading{value: number(r.counter), base: number(r.base), time: number(r.time), frequency: number(r.frequency)}
	return out, ok
}

// sample is all instances of a raw class at one moment.
type sample struct {
	at     time.Time
	wanted []bool // the properties that were read
	rows   [][]cim.Value
	keys   []string // what each row is known by
	byKey  map[string]int
}

// row is the row of that key; nil where there is none.
func (s *sample) row(key string) []cim.Value {
	if s == nil {
		return nil
	}
	if n, ok := s.byKey[key]; ok {
		return s.rows[n]
	}
	return nil
}

// has tells whether every wanted property was read.
func (s *sample) has(wanted []bool) bool {
	for i, w := range wanted {
		if w && !s.wanted[i] {
			return false
		}
	}
	return true
}

// sample reads all instances of a raw class.
func (p *Provider) sample(ctx context.Context, raw *cim.Class, wanted []bool, same []string) (*sample, error) {
	s := &sample{wanted: wanted, byKey: map[string]int{}}
	var key strings.Builder
	err := p.list(ctx, raw, query{wants: func(i int) bool { return wanted[i] }}, func(i *cim.Instance) error {
		row := make([]cim.Value, i.Len())
		for n := range row {
			row[n] = i.At(n)
		}
		key.Reset()
		for _, name := range same {
			key.WriteString(i.Get(name).String())
			key.WriteByte(0)
		}
		s.byKey[key.String()] = len(s.rows)
		s.rows, s.keys = append(s.rows, row), append(s.keys, key.String())
		return nil
	})
	s.at = time.Now()
	return s, err
}

// samples are the last samples of each raw class.
type samples struct {
	mu      sync.Mutex
	classes map[string]*sampler
}

func (s *samples) of(class string) *sampler {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.classes[class]
	if m == nil {
		m = &sampler{}
		if s.classes == nil {
			s.classes = map[string]*sampler{}
		}
		s.classes[class] = m
	}
	return m
}

const (
	loadSpan = time.Second      // a measurement takes at least this long
	loadKeep = 10 * time.Second // and starts at most this long ago
)

// sampler keeps the last two samples of a class. As with the load of the processors, a sample of the last ten seconds
// is the start of the next measurement, so that a monitor that polls does not wait, and calls within one second have
// the same result.
type sampler struct {
	mu            sync.Mutex
	before, after *sample
}

// pair gives two samples that are at least loadSpan apart.
func (m *sampler) pair(ctx context.Context, wanted []bool, take func(wanted []bool) (*sample, error)) (before, after *sample, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fresh(wanted) {
		return m.before, m.after, nil
	}
	start, wanted, err := m.start(wanted, take)
	if err != nil {
		return nil, nil, err
	}
	if wait := loadSpan - time.Since(start.at); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-timer.C:
		}
	}
	end, err := take(wanted)
	if err != nil {
		return nil, nil, err
	}
	m.before, m.after = start, end
	return start, end, nil
}

// fresh tells whether there is a result of less than a second ago; mu is held.
func (m *sampler) fresh(wanted []bool) bool {
	return m.before != nil && time.Since(m.after.at) < loadSpan && m.before.has(wanted) && m.after.has(wanted)
}

// start gives the first sample of a measurement, which it takes where there is none of the last ten seconds, and what
// the second one needs; mu is held.
func (m *sampler) start(wanted []bool, take func(wanted []bool) (*sample, error)) (start *sample, both []bool, err error) {
	start = m.after
	if start != nil && time.Since(start.at) > loadKeep {
		start = nil
	}
	if start != nil {
		// Monitors that want different properties measure for each other.
		both = slices.Clone(start.wanted)
		for i, w := range wanted {
			both[i] = both[i] || w
		}
		wanted = both
	}
	if start == nil || !start.has(wanted) {
		if start, err = take(wanted); err != nil {
			return nil, nil, err
		}
		m.before, m.after = nil, start
	}
	return start, wanted, nil
}
