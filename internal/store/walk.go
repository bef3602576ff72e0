package store

import (
	"bytes"
	"context"
	"fmt"
)

// walk visits every page that the younger header leads to.
type walk struct {
	*pages
	problems []string
	// unsafe: bbolt would read some page for ever, or follow a branch that leads
	// anywhere.
	unsafe bool
	seen   bitmap // pages that something points at
	used   bitmap // these and the pages that they overflow into
	each   func(key, value []byte) error
	bufs   [maxDepth][]byte
}

type bitmap []uint64

// add sets a bit and tells whether it was set before.
func (b bitmap) add(n uint64) bool {
	if n/64 >= uint64(len(b)) {
		return false // outside of the file, reported where it is read
	}
	was := b[n/64]&(1<<(n%64)) != 0
	b[n/64] |= 1 << (n % 64)
	return was
}

func (b bitmap) has(n uint64) bool { return n/64 < uint64(len(b)) && b[n/64]&(1<<(n%64)) != 0 }

// walkFile looks at the structure of a file that nobody writes, and gives each
// every pair that it finds: in order where the file is whole, and with what it
// could find beside the tree where it is not. The bytes are valid during the
// call. The problems are for people; unsafe means that bbolt must not see it.
func walkFile(ctx context.Context, p *pages, each func(key, value []byte) error) (problems []string, unsafe bool, err error) {
	inFile := min(p.end, uint64(p.size)/uint64(p.pageSize)+1)
	w := &walk{pages: p, each: each, seen: make(bitmap, inFile/64+1), used: make(bitmap, inFile/64+1)}
	if p.oneHeader {
		w.report("one of the two headers is damaged; if it was the younger one, the last change is lost")
	}
	if p.badHead {
		w.report("the page of a header bears another mark")
	}
	if int64(p.end)*int64(p.pageSize) > p.size {
		w.report("the file has %d bytes and should have %d", p.size, int64(p.end)*int64(p.pageSize))
	}
	if err := w.tree(ctx, p.root, nil, nil, 0, func(e element) error { return w.bucket(ctx, e) }); err != nil {
		return nil, false, err
	}
	free, listed := w.free()
	if !listed {
		return w.problems, w.unsafe, nil // what is not in the tree may be free
	}
	return w.problems, w.unsafe, w.orphans(free, inFile)
}

func (w *walk) report(format string, args ...any) {
	const enough = 1000
	if len(w.problems) < enough {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

// bucket is a pair of the outer tree: the one bucket that there is.
func (w *walk) bucket(ctx context.Context, e element) error {
	if e.flags != elementBucket || !bytes.Equal(e.key, bucketName) {
		w.report("the root holds something unknown")
		w.unsafe = true
	}
	if len(e.value) < 16 {
		w.report("the root is cut short")
		w.unsafe = true
		return nil
	}
	if root := order.Uint64(e.value); root != 0 {
		return w.tree(ctx, root, nil, nil, 1, w.pair)
	}
	g := page{data: bytes.Clone(e.value[16:])} // a small bucket lives in the pair itself
	if len(g.data) < pageHeader {
		w.report("the root is cut short")
		w.unsafe = true
		return nil
	}
	g.flags, g.count = order.Uint16(g.data[8:]), int(order.Uint16(g.data[10:]))
	return w.leaf(g, nil, nil, w.pair)
}

func (w *walk) pair(e element) error {
	if e.flags != 0 {
		w.report("a pair has unknown flags")
	}
	if w.each == nil {
		return nil
	}
	return w.each(e.key, e.value)
}

// tree walks the page and what is below it. Its keys are at or after lo and
// before hi, where these are given.
func (w *walk) tree(ctx context.Context, id uint64, lo, hi []byte, depth int, pair func(element) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if depth == maxDepth || w.seen.add(id) {
		w.report("page %d is in the tree twice", id)
		w.unsafe = true
		return nil
	}
	g, buf, err := w.read(id, w.bufs[depth])
	w.bufs[depth] = buf
	if err != nil {
		w.report("%v", err)
	}
	if g.data == nil {
		return nil
	}
	for i := range g.span {
		if w.used.add(id + i) {
			w.report("page %d overlaps another", id)
		}
	}
	switch g.flags {
	case flagLeaf:
		return w.leaf(g, lo, hi, pair)
	case flagBranch:
		return w.branch(ctx, g, lo, hi, depth, pair)
	}
	w.report("page %d is of an unknown kind", id)
	return nil
}

func (w *walk) leaf(g page, lo, hi []byte, pair func(element) error) error {
	var last []byte
	for i := range g.count {
		e, err := g.element(i)
		if err != nil {
			w.report("pair %d of page %d %v", i, g.id, err)
			continue
		}
		if i > 0 && bytes.Compare(e.key, last) <= 0 || lo != nil && bytes.Compare(e.key, lo) < 0 || hi != nil && bytes.Compare(e.key, hi) >= 0 {
			w.report("pair %d of page %d is out of order", i, g.id)
		}
		last = e.key
		if err := pair(e); err != nil {
			return err
		}
	}
	return nil
}

// branch is descended as far as it makes sense; one that does not is unsafe
// whatever the damage, because bbolt follows it anywhere.
func (w *walk) branch(ctx context.Context, g page, lo, hi []byte, depth int, pair func(element) error) error {
	if g.count == 0 {
		w.report("branch page %d is empty", g.id)
		w.unsafe = true
	}
	for i := range g.count {
		e, err := g.element(i)
		if err != nil {
			w.report("branch %d of page %d %v", i, g.id, err)
			w.unsafe = true
			continue
		}
		from, to := e.key, hi
		if i == 0 {
			from = lo
		}
		if i+1 < g.count {
			if next, err := g.element(i + 1); err == nil {
				to = next.key
				if bytes.Compare(e.key, next.key) >= 0 {
					w.report("branch %d of page %d is out of order", i, g.id)
					w.unsafe = true
				}
			}
		}
		if err := w.tree(ctx, e.child, from, to, depth+1, pair); err != nil {
			return err
		}
	}
	return nil
}

// free reads the list of free pages; listed is false where it cannot be trusted.
func (w *walk) free() (free bitmap, listed bool) {
	if w.freelist == noFreelist {
		w.report("there is no list of free pages")
		return nil, false
	}
	g, _, err := w.read(w.freelist, nil)
	if err != nil {
		w.report("the list of free pages: %v", err)
		return nil, false
	}
	ids, n := g.data[pageHeader:], uint64(g.count)
	if n == 0xFFFF { // the number of pages did not fit
		n, ids = order.Uint64(ids), ids[8:]
	}
	if g.flags != flagFreelist || n > uint64(len(ids)/8) {
		w.report("the list of free pages is not one")
		return nil, false
	}
	for i := range g.span {
		w.used.add(g.id + i)
	}
	free, listed = make(bitmap, len(w.used)), true
	for i := range n {
		id := order.Uint64(ids[8*i:])
		if id < 2 || id >= w.end || w.used.has(id) || free.add(id) {
			w.report("page %d is in the list of free pages by mistake", id)
			listed = false
		}
	}
	return free, listed
}

// orphans looks for pages that are neither in the tree nor free: what hung on a
// damaged branch. Their pairs may be found.
func (w *walk) orphans(free bitmap, inFile uint64) error {
	var buf []byte
	n := 0
	for id := uint64(2); id < inFile; id++ {
		if w.used.has(id) || free.has(id) {
			continue
		}
		n++
		if w.each == nil {
			continue
		}
		var g page
		var err error
		if g, buf, err = w.read(id, buf); err != nil || g.flags != flagLeaf {
			continue
		}
		for i := range g.count {
			if e, err := g.element(i); err == nil && e.flags == 0 {
				if err := w.each(e.key, e.value); err != nil {
					return err
				}
			}
		}
	}
	if n > 0 {
		w.report("%d pages belong to nothing", n)
	}
	return nil
}
