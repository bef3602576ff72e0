package wmiserver

import (
	"context"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// refreshingMethods is the table of IWbemRefreshingServices, which every namespace has beside IWbemServices. See [MS-WMI] 3.1.4.12.
var refreshingMethods = methods{
	iwbem.OpAddObjectToRefresher:           on("AddObjectToRefresher", 0, (*services).addObjectToRefresher),
	iwbem.OpAddObjectToRefresherByTemplate: on("AddObjectToRefresherByTemplate", 0, (*services).addObjectToRefresherByTemplate),
	iwbem.OpAddEnumToRefresher:             on("AddEnumToRefresher", 0, (*services).addEnumToRefresher),
	iwbem.OpRemoveObjectFromRefresher:      on("RemoveObjectFromRefresher", 0, (*services).removeObjectFromRefresher),
	iwbem.OpGetRemoteRefresher:             on("GetRemoteRefresher", 0, (*services).getRemoteRefresher),
	iwbem.OpReconnectRemoteRefresher:       on("ReconnectRemoteRefresher", 0, (*services).reconnectRemoteRefresher),
}

var remoteRefresherMethods = methods{
	iwbem.OpRemoteRefresh:  on("RemoteRefresh", 0, (*remoteRefresher).remoteRefresh),
	iwbem.OpStopRefreshing: on("StopRefreshing", 0, (*remoteRefresher).stopRefreshing),
}

// refresherVersion is that of the server. See [MS-WMI] 3.1.4.12.1.
const refresherVersion uint32 = 1

// maxRefreshed bounds what one refresher refreshes.
const maxRefreshed = 4096

// refresherKey names a refresher of a client, who made the GUID.
type refresherKey struct {
	owner string
	guid  security.GUID
}

// refreshers are those of all clients.
type refreshers struct {
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
		i.connection.release()
	}
}

// add adds an item and says by which number it is known.
func (r *refreshers) add(one *refresher, i *refreshed) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(one.items) >= maxRefreshed {
		return 0, refuse(cim.ErrQuotaViolation, "the refresher has as many objects as it may")
	}
	one.last++
	i.id = one.last
	one.items = append(one.items[:len(one.items):len(one.items)], i)
	return i.id, nil
}

// remove removes an item.
func (r *refreshers) remove(one *refresher, id uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, i := range one.items {
		if i.id == id {
			one.items = append(one.items[:n:n], one.items[n+1:]...)
			i.connection.release()
			return true
		}
	}
	return false
}

func (r *refreshers) list(one *refresher) []*refreshed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return one.items
}

func (s *services) addObjectToRefresher(ctx context.Context, c *call, r *iwbem.AddObjectToRefresherRequest) ndr.Marshaler {
	return s.addToRefresher(ctx, c, r.Refresher, r.Flags, r.Context, func() (*refreshed, error) { return refreshedPath(r.Path) })
}

func (s *services) addObjectToRefresherByTemplate(ctx context.Context, c *call, r *iwbem.AddObjectToRefresherByTemplateRequest) ndr.Marshaler {
	return s.addToRefresher(ctx, c, r.Refresher, r.Flags, r.Context, func() (*refreshed, error) {
		template, err := c.decode(r.Template)
		if err != nil {
			return nil, err
		}
		if template == nil || template.IsClass() {
			return nil, refuse(cim.ErrInvalidParameter, "an instance must be given")
		}
		path, whole := template.Path()
		if !whole {
			return nil, refuse(cim.ErrInvalidParameter, "the instance has no path")
		}
		return &refreshed{path: path}, nil
	})
}

func (s *services) addEnumToRefresher(ctx context.Context, c *call, r *iwbem.AddEnumToRefresherRequest) ndr.Marshaler {
	return s.addToRefresher(ctx, c, r.Refresher, r.Flags, r.Context, func() (*refreshed, error) { return refreshedClass(r.Path) })
}

func refreshedPath(path string) (*refreshed, error) {
	if err := within(path, maxPath, "the path"); err != nil {
		return nil, err
	}
	p, err := cim.ParsePath(path)
	if err == nil && (p.Class == "" || p.IsClass()) {
		err = &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path, Detail: "the path names no instance"}
	}
	return &refreshed{path: p}, err
}

func refreshedClass(class string) (*refreshed, error) {
	if class == "" {
		return nil, refuse(cim.ErrInvalidParameter, "the name of a class is missing")
	}
	return &refreshed{class: class}, within(class, maxIdentifier, "the name of the class")
}

// addToRefresher answers what adds something. Classes of high performance are refreshed here; of others the client gets a template and
// reads them himself. See [MS-WMI] 3.1.4.12.1.
func (s *services) addToRefresher(ctx context.Context, c *call, id iwbem.RefresherID, flags uint32, values iwbem.Context, what func() (*refreshed, error)) ndr.Marshaler {
	out := &iwbem.RefreshInfoResponse{Version: refresherVersion}
	err := func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		if err := c.accept(flags); err != nil {
			return err
		}
		item, err := what()
		if err != nil {
			return err
		}
		if item.values, err = c.values(values); err != nil {
			return err
		}
		template, err := s.template(ctx, c, item)
		if err != nil {
			return err
		}
		if out.Info.Template, err = c.encode(template); err != nil {
			return err
		}
		if !template.Class().Qualifiers.True("HiPerf") {
			out.Info.Type = iwbem.RefreshNonHiPerf
			out.Info.Namespace = iwbem.String{Text: s.connection.namespace}
			return nil
		}
		if item.blobs, err = s.server.codec.NewInstanceBlobs(template.Class()); err != nil {
			return err
		}
		out.Info.CancelID, out.Info.GUID, out.Info.Refresher, err = s.refresh(c, id, item)
		out.Info.Type = iwbem.RefreshRemote
		return err
	}()
	if err != nil {
		out.Info = iwbem.RefreshInfo{Type: iwbem.RefreshInvalid}
	}
	out.Result = result(err)
	return c.answer(out, err)
}

// template is an instance with the defaults of the class of an item, which must be there.
func (s *services) template(ctx context.Context, c *call, item *refreshed) (*cim.Instance, error) {
	session := s.connection.session.With(c.caller)
	if item.class == "" {
		i, err := session.Get(ctx, item.path, cim.GetOptions{OperationOptions: cim.OperationOptions{Context: item.values}})
		if err != nil {
			return nil, err
		}
		return cim.NewInstance(i.Class()), nil
	}
	class, err := session.GetClass(ctx, item.class, cim.GetOptions{})
	if cim.StatusOf(err) == cim.ErrNotFound {
		err = &cim.Error{Status: cim.ErrInvalidClass, Path: item.class}
	}
	if err != nil {
		return nil, err
	}
	return cim.NewInstance(class), nil
}

// refresh puts an item into the client's refresher and gives a reference to that.
func (s *services) refresh(c *call, id iwbem.RefresherID, item *refreshed) (uint32, security.GUID, *dcom.ObjRef, error) {
	one := s.server.refreshers.use(c.owner, id)
	item.connection = s.connection.retain()
	number, err := s.server.refreshers.add(one, item)
	if err != nil {
		item.connection.release()
		s.server.refreshers.leave(one)
		return 0, security.GUID{}, nil, err
	}
	ref, err := s.server.refer(c, one)
	return number, one.guid, ref, err
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

// removeObjectFromRefresher is not there on Windows either. See [MS-WMI] 3.1.4.12.4.
func (s *services) removeObjectFromRefresher(context.Context, *call, *iwbem.RemoveObjectFromRefresherRequest) ndr.Marshaler {
	return &iwbem.RemoveObjectFromRefresherResponse{Version: refresherVersion, Result: uint32(cim.ErrNotAvailable)}
}

func (s *services) getRemoteRefresher(ctx context.Context, c *call, r *iwbem.GetRemoteRefresherRequest) ndr.Marshaler {
	out := &iwbem.GetRemoteRefresherResponse{Version: refresherVersion}
	err := func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		if err := admitted(ctx, s.connection.session, c.caller); err != nil {
			return err
		}
		one := s.server.refreshers.use(c.owner, r.Refresher)
		out.GUID = one.guid
		out.Refresher, err = s.server.refer(c, one)
		return err
	}()
	out.Result = result(err)
	return c.answer(out, err)
}

// reconnectRemoteRefresher puts back what a client had in a refresher that is gone. See [MS-WMI] 3.1.4.12.6.
func (s *services) reconnectRemoteRefresher(ctx context.Context, c *call, r *iwbem.ReconnectRemoteRefresherRequest) ndr.Marshaler {
	out := &iwbem.ReconnectRemoteRefresherResponse{Version: refresherVersion, Results: r.Results}
	err := func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		s.server.refreshers.mu.Lock()
		known := s.server.refreshers.known[refresherKey{c.owner, r.Refresher.GUID}] != nil
		s.server.refreshers.mu.Unlock()
		if !known {
			return refuse(cim.ErrNotFound, "there is no refresher of that name: GetRemoteRefresher makes it")
		}
		one := s.server.refreshers.use(c.owner, r.Refresher)
		defer s.server.refreshers.leave(one)
		for n, info := range r.Infos {
			id, err := s.reconnect(ctx, c, one, info)
			out.Results[n] = iwbem.ReconnectResult{ID: id, Status: result(err)}
		}
		return nil
	}()
	out.Result = result(err)
	return c.answer(out, err)
}

func (s *services) reconnect(ctx context.Context, c *call, one *refresher, info iwbem.ReconnectInfo) (id uint32, err error) {
	var item *refreshed
	switch info.Type {
	case 0:
		item, err = refreshedPath(info.Path.Text)
	case 1:
		item, err = refreshedClass(info.Path.Text)
	default:
		err = refuse(cim.ErrInvalidParameter, "neither an object nor an enumeration")
	}
	if err != nil {
		return 0, err
	}
	template, err := s.template(ctx, c, item)
	if err != nil {
		return 0, err
	}
	if item.blobs, err = s.server.codec.NewInstanceBlobs(template.Class()); err != nil {
		return 0, err
	}
	item.connection = s.connection.retain()
	if id, err = s.server.refreshers.add(one, item); err != nil {
		item.connection.release()
	}
	return id, err
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
		for _, item := range r.server.refreshers.list(r.refresher) {
			object := iwbem.RefreshedObject{RequestID: item.id}
			if object.Type, object.Blob, err = r.read(ctx, c, item); err != nil {
				object.Type, object.Blob = iwbem.BlobError, nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
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
