package wmiserver

import (
	"context"
	"slices"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

var remoteRefresherMethods = methods{
	iwbem.OpRemoteRefresh:  on("RemoteRefresh", 0, (*remoteRefresher).remoteRefresh),
	iwbem.OpStopRefreshing: on("StopRefreshing", 0, (*remoteRefresher).stopRefreshing),
}

// maxRefreshed bounds what one refresher refreshes, and maxRefresh what one answer to that holds: so many times Limits.ResponseBytes.
const (
	maxRefreshed = 4096
	maxRefresh   = 8
)

// refresherKey names a refresher of a client, who made the GUID.
type refresherKey struct {
	owner string
	guid  security.GUID
}

// refreshers are those of all clients.
type refreshers struct {
	ledger *ledger // what is refreshed is charged as what is kept for Reset is

	mu    sync.Mutex
	known map[refresherKey]*refresher
}

// refresher is what a client has refreshed together: objects and enumerations, also of several namespaces. It lasts while a client has a
// reference to it.
type refresher struct {
	key  refresherKey
	guid security.GUID // made here

	// all that follows belongs to refreshers.mu but for working
	users   int
	oid     uint64 // of the remoteRefresher that refers to it, 0 for none
	items   []*refreshed
	last    uint32
	working sync.Mutex // one refresh at a time
}

// refreshed is one of them.
type refreshed struct {
	id         uint32
	connection *connection
	path       cim.ObjectPath // of an object
	class      string         // of an enumeration
	values     cim.NamedArray
	blobs      *wmio.InstanceBlobs
	charged    int64
}

// weight is about how many octets it takes.
func (i *refreshed) weight() int64 {
	n := int64(1024+len(i.class)) + int64(len(i.path.Class))
	for _, k := range i.path.Keys {
		n += valueWeight(k.Value)
	}
	for _, v := range i.values {
		n += int64(len(v.Name)) + valueWeight(v.Value)
	}
	return n
}

// end gives back what an item of a refresher took.
func (r *refreshers) end(one *refresher, i *refreshed) {
	r.ledger.keep(one.key.owner, -i.charged)
	i.connection.release()
}

// use finds or makes the refresher of a client, for one more user.
func (r *refreshers) use(owner string, id iwbem.RefresherID) *refresher {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refresherKey{owner, id.GUID}
	one := r.known[key]
	if one == nil {
		one = &refresher{key: key, guid: newGUID()}
		if r.known == nil {
			r.known = map[refresherKey]*refresher{}
		}
		r.known[key] = one
	}
	one.users++
	return one
}

// leave ends one use. Without users there is no refresher.
func (r *refreshers) leave(one *refresher) {
	r.mu.Lock()
	one.users--
	var items []*refreshed
	if one.users == 0 {
		delete(r.known, one.key)
		items, one.items = one.items, nil
	}
	r.mu.Unlock()
	for _, i := range items {
		r.end(one, i)
	}
}

// add adds an item and says by which number it is known.
func (r *refreshers) add(one *refresher, i *refreshed) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(one.items) >= maxRefreshed {
		return 0, refuse(cim.ErrQuotaViolation, "the refresher has as many objects as it may")
	}
	if i.charged = i.weight(); !r.ledger.keep(one.key.owner, i.charged) {
		return 0, refuse(cim.ErrQuotaViolation, "the account keeps as much as it may")
	}
	one.last++
	i.id = one.last
	one.items = append(one.items[:len(one.items):len(one.items)], i)
	return i.id, nil
}

// remove removes an item.
func (r *refreshers) remove(one *refresher, id uint32) bool {
	r.mu.Lock()
	n := slices.IndexFunc(one.items, func(i *refreshed) bool { return i.id == id })
	if n < 0 {
		r.mu.Unlock()
		return false
	}
	i := one.items[n]
	one.items = append(one.items[:n:n], one.items[n+1:]...)
	r.mu.Unlock()
	r.end(one, i)
	return true
}

func (r *refreshers) list(one *refresher) []*refreshed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return one.items
}

// refer gives a reference to a refresher, to the same object each time, and takes over one use of it. See [MS-WMI] 3.1.4.12.5.
func (s *Server) refer(c *call, one *refresher) (*dcom.ObjRef, error) {
	s.refreshers.mu.Lock()
	oid := one.oid
	s.refreshers.mu.Unlock()
	if oid != 0 {
		if ref, err := s.again(c, oid, wmi.IIDRemoteRefresher); err == nil {
			s.refreshers.leave(one)
			return ref, nil
		}
	}
	ref, err := s.export(c, &remoteRefresher{server: s, refresher: one}, wmi.IIDRemoteRefresher)
	if err != nil {
		return nil, err
	}
	s.refreshers.mu.Lock()
	defer s.refreshers.mu.Unlock()
	one.oid = ref.Std.OID
	return ref, nil
}

// remoteRefresher is IWbemRemoteRefresher. See [MS-WMI] 3.1.4.13.
type remoteRefresher struct {
	server    *Server
	refresher *refresher
}

func (r *remoteRefresher) methods(iid security.GUID) methods {
	if iid == wmi.IIDRemoteRefresher {
		return remoteRefresherMethods
	}
	return nil
}

func (r *remoteRefresher) released() { r.server.refreshers.leave(r.refresher) }

// remoteRefresh reads everything anew. What cannot be read is an error of its own. See [MS-WMI] 3.1.4.13.1.
func (r *remoteRefresher) remoteRefresh(ctx context.Context, c *call, q *iwbem.RemoteRefreshRequest) ndr.Marshaler {
	out := &iwbem.RemoteRefreshResponse{}
	err := func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		if err := c.accept(q.Flags); err != nil {
			return err
		}
		if !r.refresher.working.TryLock() {
			return refuse(cim.ErrRefresherBusy, "a refresh is under way")
		}
		defer r.refresher.working.Unlock()
		octets := 0
		for _, item := range r.server.refreshers.list(r.refresher) {
			object := iwbem.RefreshedObject{RequestID: item.id}
			if object.Type, object.Blob, err = r.read(ctx, c, item); err != nil {
				object.Type, object.Blob = iwbem.BlobError, nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if octets += len(object.Blob); octets > maxRefresh*r.server.o.Limits.ResponseBytes {
				return refuse(cim.ErrQuotaViolation, "the refresher's objects are more than one answer may hold")
			}
			out.Objects = append(out.Objects, object)
		}
		return nil
	}()
	if err != nil {
		out.Objects = nil
	}
	out.Result = result(err)
	return c.answer(out, err)
}

// read reads one item.
func (r *remoteRefresher) read(ctx context.Context, c *call, item *refreshed) (iwbem.BlobType, []byte, error) {
	session, o := item.connection.session.With(c.caller), cim.OperationOptions{Context: item.values}
	if item.class == "" {
		i, err := session.Get(ctx, item.path, cim.GetOptions{OperationOptions: o})
		if err != nil {
			return 0, nil, err
		}
		blob, err := item.blobs.Append(nil, i)
		return iwbem.BlobAll, blob, err
	}
	// The blob has no class in it: all must be of the one that the client knows.
	enum, err := session.Enumerate(ctx, item.class, cim.EnumerateOptions{OperationOptions: o, Polymorphism: cim.Shallow})
	if err != nil {
		return 0, nil, err
	}
	list, err := cim.Collect(ctx, enum)
	if err != nil {
		return 0, nil, err
	}
	blob, err := item.blobs.AppendEnum(nil, list)
	return iwbem.BlobEnum, blob, err
}

// stopRefreshing removes objects. See [MS-WMI] 3.1.4.13.2.
func (r *remoteRefresher) stopRefreshing(_ context.Context, c *call, q *iwbem.StopRefreshingRequest) ndr.Marshaler {
	return c.status(func() error {
		if err := impersonated(c.caller); err != nil {
			return err
		}
		if err := c.accept(q.Flags); err != nil {
			return err
		}
		var err error
		for _, id := range q.IDs {
			if !r.server.refreshers.remove(r.refresher, id) {
				err = refuse(cim.ErrNotFound, "the refresher has no object of that number")
			}
		}
		return err
	}())
}
