package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, as far as a check needs it. Numbers are in the
// order of the machine. A page begins with
//
//	id uint64, flags uint16, count uint16, overflow uint32 (pages that follow)
//
// and a branch or leaf page goes on with count elements of 16 bytes whose
// offsets count from the element itself.
const (
	pageHeader  = 16
	elementSize = 16

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	elementBucket = 0x01

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaSize    = 64 // with the checksum, which is its last 8 bytes
	noFreelist  = 1<<64 - 1

	maxDepth = 32
	minPage  = 1 << 10
	maxPage  = 16 << 20
)

var order = binary.NativeEndian

// meta is one of the two headers of the file; the younger one that is whole
// counts.
type meta struct {
	pageSize            int
	root, freelist, end uint64 // end is the first page id that is not in use
	tx                  uint64
}

// pages reads a file page by page and takes nothing for granted.
type pages struct {
	meta
	file io.ReaderAt
	size int64
	// oneHeader: the other header is not whole.
	oneHeader bool
	// badHead: what stands before a header that is whole is damaged, which bbolt does not look at.
	badHead bool
}

func openPages(file io.ReaderAt, size int64) (*pages, error) {
	p := &pages{file: file, size: size}
	first, ok := p.readMeta(0)
	if !ok {
		// Its page size is lost with it: the second header says where it is.
		for s := minPage; s <= maxPage; s *= 2 {
			if m, ok := p.readMeta(int64(s)); ok && m.pageSize == s {
				p.meta, p.oneHeader = m, true
				return p, nil
			}
		}
		return nil, damaged("neither header is whole")
	}
	second, ok := p.readMeta(int64(first.pageSize))
	p.meta, p.oneHeader = first, !ok
	if ok && second.tx > first.tx {
		p.meta = second
	}
	return p, nil
}

func (p *pages) readMeta(at int64) (m meta, ok bool) {
	var b [pageHeader + metaSize]byte
	if _, err := p.file.ReadAt(b[:], at); err != nil {
		return m, false
	}
	h := b[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(h[:metaSize-8])
	if order.Uint32(h) != metaMagic || order.Uint32(h[4:]) != metaVersion ||
		sum.Sum64() != order.Uint64(h[metaSize-8:]) {
		return m, false
	}
	m = meta{
		pageSize: int(order.Uint32(h[8:])), root: order.Uint64(h[16:]), freelist: order.Uint64(h[32:]),
		end: order.Uint64(h[40:]), tx: order.Uint64(h[48:]),
	}
	if s := m.pageSize; s < minPage || s > maxPage || s&(s-1) != 0 || m.end >= 1<<40 {
		return m, false
	}
	p.badHead = p.badHead || order.Uint16(b[8:]) != flagMeta
	return m, true
}

// page is one page with the pages that it overflows into.
type page struct {
	id    uint64
	flags uint16
	count int
	span  uint64 // pages in all
	data  []byte
}

// read reads a page into buf, which is returned grown. Where only the numbers at
// its head are wrong, the page is returned beside the error, without what it
// overflows into; otherwise its data is nil.
func (p *pages) read(id uint64, buf []byte) (g page, grown []byte, err error) {
	fail := func(why string) error { return fmt.Errorf("page %d %s", id, why) }
	at := int64(id) * int64(p.pageSize)
	if id < 2 || id >= p.end || at+pageHeader > p.size {
		return page{}, buf, fail("is outside of the file")
	}
	if cap(buf) < p.pageSize {
		buf = make([]byte, p.pageSize)
	}
	buf = buf[:p.pageSize]
	there := min(int64(p.pageSize), p.size-at)
	if _, err := p.file.ReadAt(buf[:there], at); err != nil {
		return page{}, buf, fail("cannot be read: " + err.Error())
	}
	clear(buf[there:])
	g = page{
		id: id, flags: order.Uint16(buf[8:]), count: int(order.Uint16(buf[10:])), span: 1 + uint64(order.Uint32(buf[12:])), data: buf,
	}
	whole := int64(g.span) * int64(p.pageSize)
	if id+g.span > p.end || at+whole > p.size {
		g.span = 1
		return g, buf, fail("reaches past the end of the file")
	}
	if order.Uint64(buf) != id {
		err = fail("bears another number")
	}
	if g.span > 1 {
		if int64(cap(buf)) < whole {
			buf = make([]byte, whole)
		}
		buf = buf[:whole]
		if _, err := p.file.ReadAt(buf, at); err != nil {
			return page{}, buf, fail("cannot be read: " + err.Error())
		}
		g.data = buf
	}
	return g, buf, err
}

// element is one entry of a branch or a leaf.
type element struct {
	flags      uint32
	key, value []byte
	child      uint64
}

var errBounds = errors.New("reaches out of its page")

func (g page) element(i int) (e element, err error) {
	at := pageHeader + i*elementSize
	if i >= g.count || at+elementSize > len(g.data) {
		return e, errBounds
	}
	h := g.data[at:]
	var pos, key, value uint64
	if g.flags == flagBranch {
		pos, key = uint64(order.Uint32(h)), uint64(order.Uint32(h[4:]))
		e.child = order.Uint64(h[8:])
	} else {
		e.flags = order.Uint32(h)
		pos, key, value = uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[8:])), uint64(order.Uint32(h[12:]))
	}
	if pos < elementSize || pos+key+value > uint64(len(h)) {
		return e, errBounds
	}
	e.key, e.value = h[pos:pos+key], h[pos+key:pos+key+value]
	return e, nil
}
